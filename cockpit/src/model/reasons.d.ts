declare module "reasons:meanings" {
  const meanings: Record<string, string>;
  export default meanings;
}
declare module "*.css";
