export interface CartLine {
  sku: string;
  title: string;
  quantity: number;
  cents: number;
}

export interface Cart {
  id: string;
  version: number;
  currency: string;
  lines: CartLine[];
}

export interface CheckoutSession {
  id: string;
  customer: string;
}

export interface Charge {
  id: string;
  cents: number;
  status: 'settled' | 'declined' | 'pending';
}

export interface Order {
  number: string;
  placedAt: string;
  cents: number;
  status: 'packed' | 'shipped' | 'delivered' | 'returned';
}
