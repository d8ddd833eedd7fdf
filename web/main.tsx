/** Entry: puts the dashboard on the page. */
import { render } from "preact";
import { App } from "./app.tsx";
import { showTheme, theTheme } from "./theme.ts";

// Before anything is seen: the door is dark, too.
showTheme(theTheme());
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
