export const Explain = (_: {port?: string}) => <p>Explain</p>;
