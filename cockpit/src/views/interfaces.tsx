export const Interfaces = (_: {port?: string}) => <p>Interfaces</p>;
