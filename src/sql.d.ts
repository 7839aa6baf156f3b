/** SQL files are part of the program: the bundler and the test runner import them as text. */
declare module '*.sql' {
  const text: string;
  export default text;
}
