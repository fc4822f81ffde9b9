import type { Cart, Charge } from './types';

export class GatewayError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

export const gateway = {
  async charge(cart: Cart, key: string): Promise<Charge> {
    const response = await fetch('/gateway/charges', {
      method: 'POST',
      headers: { 'Idempotency-Key': key },
      body: JSON.stringify({ currency: cart.currency, lines: cart.lines }),
    });
    if (!response.ok) {
      throw new GatewayError(`charge failed: ${response.status}`, response.status);
    }
    return response.json();
  },
};
