const LAST_EMAIL = 'harbor.last-email';

export function rememberEmail(email: string): void {
  localStorage.setItem(LAST_EMAIL, email.trim().toLowerCase());
}

export function lastEmail(): string {
  return localStorage.getItem(LAST_EMAIL) ?? '';
}
