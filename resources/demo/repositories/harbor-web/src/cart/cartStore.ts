import type { Cart, CartLine } from '../types';

export function emptyCart(id: string): Cart {
  return { id, version: 1, currency: 'EUR', lines: [] };
}

/** A new cart with the line added; equal articles are put together. */
export function addLine(cart: Cart, line: CartLine): Cart {
  const known = cart.lines.find((other) => other.sku === line.sku);
  const lines = known
    ? cart.lines.map((other) => (other === known ? { ...other, quantity: other.quantity + line.quantity } : other))
    : [...cart.lines, line];
  return { ...cart, version: cart.version + 1, lines };
}
