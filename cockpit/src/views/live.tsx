export const Live = (_: {port?: string}) => <p>Live</p>;
