// Talking to the broker. Paths are relative, so that any base path works.

/** get asks for JSON below api/; parameters that are empty are left out. */
export async function get(name, parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== '' && value != null && value !== false) query.set(key, value);
  }
  const text = query.toString();
  const response = await fetch(`api/${name}${text ? '?' + text : ''}`, { cache: 'no-store' });
  if (!response.ok) throw new Error(await response.text() || response.statusText);
  return response.json();
}

/** endpoint asks one of the public endpoints. */
export async function endpoint(path) {
  const response = await fetch(`../${path}`, { cache: 'no-store' });
  if (!response.ok) throw new Error(await response.text() || response.statusText);
  return response.json();
}
