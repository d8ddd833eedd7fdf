/** The door: a token, or nothing where Cloudflare Access has let the browser in already. */
import { useState } from "preact/hooks";
import { type Session, signIn } from "../session.ts";
import { Form, Text } from "../ui/form.tsx";

export function SignIn({ onSession }: { onSession: (session: Session) => void }) {
  const [token, setToken] = useState("");
  return (
    <main class="door">
      <h1>HelloTide</h1>
      <p>Which TLS clients behave strangely on your site, while it happens.</p>
      <Form label="Sign in" button="Sign in" send={async () => onSession(await signIn(token.trim()))}>
        <Text
          label="API token"
          type="password"
          value={token}
          onValue={setToken}
          required
          hint="With the scopes read and feed; write to change thresholds, admin for tokens. It is kept until this tab closes."
        />
      </Form>
    </main>
  );
}
