// Starting what is looked at: a made-up broker with any number of connections,
// or a real one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import readline from 'node:readline';

/** fake starts the package's own test binary as a made-up broker. */
export async function fake(connections, base = '') {
  const child = spawn(process.env.UI_FAKE, [], {
    env: { ...process.env, MONITOR_SERVE_FAKE: String(connections), MONITOR_BASE: base }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(readline.createInterface(child.stdout), 'line');
  return { url: line, async stop() { child.stdin.end(); if (child.exitCode === null) await once(child, 'exit'); } };
}

async function freePort() {
  const s = createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  await once(s, 'close');
  return port;
}

/** real starts nats-broker with a configuration that holds a secret. */
export async function real(dir) {
  const [client, monitor] = [await freePort(), await freePort()];
  writeFileSync(`${dir}/ui.conf`, `server_name: ui-test\nhost: 127.0.0.1\nport: ${client}\nhttp: "127.0.0.1:${monitor}"\nmonitor { user: ops, password: "planted-secret" }\n`);
  const child = spawn(process.env.UI_BROKER, ['-c', `${dir}/ui.conf`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const line of readline.createInterface(child.stderr)) {
    said += `${line}\n`;
    if (line.includes('Server is ready')) break;
  }
  if (!said.includes('Server is ready')) throw new Error(`the broker did not start:\n${said}`);
  child.stderr.resume();
  return {
    url: `http://127.0.0.1:${monitor}/ui/`, client,
    async stop() { child.kill('SIGTERM'); if (child.exitCode === null) await once(child, 'exit'); },
  };
}
