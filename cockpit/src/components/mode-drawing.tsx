// SPDX-License-Identifier: GPL-2.0-or-later
// A network's mode as a drawing: two guests, the host, the outside, and who reaches whom.
import { _ } from "../lib/i18n";
import type { Mode } from "../model/modes";

function Box({
  x,
  y,
  width,
  title,
  note,
}: {
  x: number;
  y: number;
  width: number;
  title: string;
  note?: string;
}) {
  return (
    <>
      <rect x={x} y={y} width={width} height={44} rx={6} />
      <text x={x + width / 2} y={note ? y + 19 : y + 27}>
        {title}
      </text>
      {note ? (
        <text className="vnet-note" x={x + width / 2} y={y + 35}>
          {note}
        </text>
      ) : null}
    </>
  );
}

export function ModeDrawing({
  mode,
  gateway,
  address,
  uplink,
}: {
  mode: Mode;
  gateway?: string | null;
  address?: string;
  uplink?: string;
}) {
  const middle = mode.gateway
    ? _("gateway")
    : mode.shown === "bridge"
      ? _("the host's bridge")
      : _("interface");
  const way = (open: boolean) => (open ? "vnet-way" : "vnet-barred");
  const meets = mode.name !== "direct-private" && mode.name !== "direct-passthrough";
  return (
    <figure>
      <svg
        className="vnet-drawing"
        viewBox="0 0 480 150"
        role="img"
        aria-label={`${_(mode.label)}: ${_(mode.summary)}`}
      >
        <Box x={4} y={8} width={90} title={_("guest")} />
        {mode.name === "direct-passthrough" ? null : <Box x={4} y={98} width={90} title={_("guest")} />}
        <Box
          x={176}
          y={53}
          width={130}
          title={gateway || middle}
          note={address ?? (gateway ? middle : undefined)}
        />
        <Box x={386} y={53} width={90} title={_("outside")} note={uplink} />
        <path className="vnet-way" d="M94 30 L176 66" />
        {mode.name === "direct-passthrough" ? null : <path className={way(true)} d="M94 120 L176 84" />}
        {mode.name === "direct-passthrough" ? null : <path className={way(meets)} d="M49 52 V98" />}
        <path className={way(mode.outside)} d="M306 75 H386" />
        {mode.outside ? <path className="vnet-way" d="M378 69 L386 75 L378 81" /> : null}
        {mode.outside && !mode.translated ? <path className="vnet-way" d="M314 69 L306 75 L314 81" /> : null}
        {mode.translated ? (
          <text className="vnet-note" x={346} y={64}>
            {_("masqueraded")}
          </text>
        ) : null}
        {mode.outside ? null : (
          <text className="vnet-note" x={346} y={64}>
            {_("nothing passes")}
          </text>
        )}
      </svg>
      <figcaption className="vnet-subtle">{_(mode.summary)}</figcaption>
    </figure>
  );
}
