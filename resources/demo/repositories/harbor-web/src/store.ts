/** Small key-value store that all server processes share. */
export const store = {
  async get(key: string): Promise<string | null> {
    const response = await fetch(`/internal/store/${encodeURIComponent(key)}`);
    return response.ok ? response.text() : null;
  },

  /** Writes only if nobody wrote before; tells whether it did. */
  async add(key: string, value: string, seconds: number): Promise<boolean> {
    const response = await fetch(`/internal/store/${encodeURIComponent(key)}?ttl=${seconds}`, {
      method: 'POST',
      body: value,
    });
    return response.status === 201;
  },
};
