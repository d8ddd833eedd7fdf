/**
 * The platform's static assets for raw workerd, as far as the dashboard needs them: a folder's files by path, with the content
 * types that workerd's own disk service leaves out.
 */
const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const path = pathname === "/" ? "/index.html" : pathname;
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)];
    // The disk service lists folders; nothing but a file of the dashboard is asked for.
    if (type === undefined) return new Response(null, { status: 404 });
    const file = await env.FILES.fetch(`http://files${path}`, { method: request.method });
    if (!file.ok) return new Response(null, { status: 404 });
    const headers = new Headers({ "content-type": type });
    const length = file.headers.get("content-length");
    if (length !== null) headers.set("content-length", length);
    return new Response(file.body, { headers });
  },
};
