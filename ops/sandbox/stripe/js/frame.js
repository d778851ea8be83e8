// The inside of the Payment Element: reads what the payer types, and makes the confirmation token.
(() => {
  'use strict';
  const form = document.querySelector('form');
  const query = new URLSearchParams(location.search);
  const tell = (event, fields = {}) => window.parent.postMessage({ event, ...fields }, '*');
  const field = (name) => form.elements.namedItem(name);
  const selected = () => field('type').value;
  const digits = (text) => text.replace(/\D/g, '');

  // The check digit of card numbers (ISO/IEC 7812-1).
  function isNumber(number) {
    const sum = [...number].reverse().reduce((total, digit, place) => {
      const value = Number(digit) * (place % 2 ? 2 : 1);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
    return /^\d{13,19}$/.test(number) && sum % 10 === 0;
  }

  function findProblem() {
    if (selected() === 'sepa_debit') {
      return /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(field('iban').value.replace(/\s/g, '').toUpperCase())
        ? null
        : { name: 'iban', code: 'incomplete_iban', message: 'The IBAN is incomplete.' };
    }
    if (selected() !== 'card') return null;
    const number = digits(field('number').value);
    if (!isNumber(number)) {
      return number.length < 13
        ? { name: 'number', code: 'incomplete_number', message: 'Your card number is incomplete.' }
        : { name: 'number', code: 'invalid_number', message: 'Your card number is invalid.' };
    }
    const [month, year] = [digits(field('expiry').value).slice(0, 2), digits(field('expiry').value).slice(2)];
    if (!/^(0[1-9]|1[0-2])$/.test(month) || year.length !== 2) {
      return { name: 'expiry', code: 'incomplete_expiry', message: 'Your card’s expiration date is incomplete.' };
    }
    return digits(field('cvc').value).length < 3
      ? { name: 'cvc', code: 'incomplete_cvc', message: 'Your card’s security code is incomplete.' }
      : null;
  }

  function show(problem) {
    for (const input of form.querySelectorAll('input[aria-invalid]')) input.removeAttribute('aria-invalid');
    const note = document.querySelector('#problem');
    note.textContent = problem?.message ?? '';
    if (problem) {
      field(problem.name).setAttribute('aria-invalid', 'true');
      field(problem.name).focus();
    }
    resize();
  }

  const asError = ({ code, message }) => ({ error: { type: 'validation_error', code, message } });
  const resize = () => tell('height', { height: Math.ceil(form.getBoundingClientRect().height) + 8 });

  function change() {
    for (const part of form.querySelectorAll('[data-type]')) part.hidden = part.dataset.type !== selected();
    const empty = selected() === 'card' && !field('number').value;
    tell('change', { detail: { complete: !findProblem(), empty, collapsed: false, value: { type: selected() } } });
    resize();
  }

  async function makeToken(returnUrl) {
    const body = new URLSearchParams({
      account: query.get('account') ?? '',
      type: selected(),
      number: digits(field('number').value),
      iban: field('iban').value.replace(/\s/g, '').toUpperCase(),
      return_url: returnUrl,
    });
    const answer = await (await fetch('/_js/confirmation_tokens', { method: 'POST', body })).json();
    return answer.error ? answer : { confirmationToken: answer };
  }

  function paint(appearance) {
    const { variables = {}, theme } = appearance ?? {};
    const style = document.documentElement.style;
    if (theme === 'night') document.documentElement.dataset.theme = 'night';
    for (const [name, value] of Object.entries(variables)) style.setProperty(`--${name}`, String(value));
    resize();
  }

  async function answer({ verb, returnUrl }) {
    const problem = findProblem();
    show(problem);
    if (problem) return asError(problem);
    return verb === 'submit' ? { selectedPaymentMethod: selected() } : makeToken(returnUrl);
  }

  window.addEventListener('message', async ({ source, data }) => {
    if (source !== window.parent) return;
    if (data.verb === 'appearance') paint(data.appearance);
    else if (data.verb === 'focus') field(selected() === 'sepa_debit' ? 'iban' : 'number').focus();
    else if (data.number) {
      const result = await answer(data).catch(() => ({
        error: { type: 'api_connection_error', message: 'The sandbox did not answer.' },
      }));
      tell('answer', { number: data.number, result });
    }
  });
  form.addEventListener('input', ({ target }) => {
    if (target.name === 'number') target.value = digits(target.value).replace(/(.{4})(?=.)/g, '$1 ');
    if (target.name === 'expiry') target.value = digits(target.value).replace(/^(..)(?=.)/, '$1 / ').slice(0, 7);
    change();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('focusin', () => tell('focus'));
  form.addEventListener('focusout', () => tell('blur'));
  change();
  tell('ready');
})();
