/** The address bar: where we are, and choices of a view that change it. */
import { useEffect, useState } from "preact/hooks";
import { hrefOf, parseRoute, type Route } from "./route.ts";

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const read = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return route;
}

/** Changes one choice of a view, in place: the address can be sent, and "back" leaves the view. */
export function choose(route: Route, name: string, value: string): void {
  const query = new URLSearchParams(route.query);
  if (value === "") query.delete(name);
  else query.set(name, value);
  location.replace(hrefOf({ ...route, query }));
}
