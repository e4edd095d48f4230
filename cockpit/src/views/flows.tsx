export const Flows = (_: {port?: string}) => <p>Flows</p>;
