// SPDX-License-Identifier: GPL-2.0-or-later
// A table of facts; on a narrow screen each row becomes a card.
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import type { ReactNode } from "react";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  hidden?: boolean; // the title is for screen readers only
}

export function DataTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  empty,
}: {
  label: string;
  columns: Array<Column<Row>>;
  rows: Row[];
  rowKey: (row: Row) => string;
  empty: string;
}) {
  if (!rows.length) return <p className="vnet-empty">{empty}</p>;
  return (
    <Table aria-label={label} variant="compact" gridBreakPoint="grid-lg">
      <Thead>
        <Tr>
          {columns.map(column =>
            column.hidden ? (
              <Th key={column.title} screenReaderText={column.title} />
            ) : (
              <Th key={column.title} modifier="nowrap">
                {column.title}
              </Th>
            ),
          )}
        </Tr>
      </Thead>
      <Tbody>
        {rows.map(row => (
          <Tr key={rowKey(row)} data-row={rowKey(row)}>
            {columns.map(column => (
              <Td key={column.title} dataLabel={column.hidden ? undefined : column.title}>
                {column.cell(row)}
              </Td>
            ))}
          </Tr>
        ))}
      </Tbody>
    </Table>
  );
}
