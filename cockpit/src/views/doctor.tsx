export const Doctor = (_: {port?: string}) => <p>Doctor</p>;
