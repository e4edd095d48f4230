export const Forwards = (_: {port?: string}) => <p>Forwards</p>;
