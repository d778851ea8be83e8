// The stand-in for Stripe.js: the part of https://docs.stripe.com/js that the portal uses, spoken to the sandbox.
// What a payer types stays in the frame, as at Stripe: this script and the page never see it.
(() => {
  'use strict';
  const origin = new URL(document.currentScript.src).origin;
  let calls = 0;

  const fail = (message, code, type = 'invalid_request_error') => ({ error: { type, code, message } });

  async function call(method, path, account, fields) {
    const body = new URLSearchParams({ ...fields, account: account ?? '' });
    const url = `${origin}${path}${method === 'GET' ? `?${body}` : ''}`;
    try {
      const answer = await fetch(url, method === 'GET' ? {} : { method, body });
      return await answer.json();
    } catch {
      return fail('The sandbox did not answer.', 'api_connection_error', 'api_connection_error');
    }
  }

  class PaymentElement {
    constructor(elements, options) {
      this.elements = elements;
      this.options = options;
      this.handlers = new Map();
      this.waiting = new Map();
      this.frame = null;
      this.receive = this.receive.bind(this);
    }

    mount(target) {
      const place = typeof target === 'string' ? document.querySelector(target) : target;
      if (!place) throw new Error(`The selector you specified (${target}) applies to no DOM elements.`);
      this.unmount();
      this.frame = document.createElement('iframe');
      this.frame.title = 'Secure payment input frame';
      this.frame.allow = 'payment *';
      this.frame.style.cssText = 'border:0;width:100%;height:15rem;display:block;color-scheme:normal';
      const { stripe, options } = this.elements;
      const query = new URLSearchParams({
        account: stripe.account ?? '',
        currency: options.currency ?? '',
        locale: options.locale ?? 'en',
      });
      this.frame.src = `${origin}/_frame/payment?${query}`;
      window.addEventListener('message', this.receive);
      place.replaceChildren(this.frame);
    }

    unmount() {
      window.removeEventListener('message', this.receive);
      this.frame?.remove();
      this.frame = null;
    }

    destroy() {
      this.unmount();
      this.elements.element = null;
    }

    on(name, handler) {
      this.handlers.set(name, [...(this.handlers.get(name) ?? []), handler]);
      return this;
    }

    off(name, handler) {
      this.handlers.set(name, (this.handlers.get(name) ?? []).filter((one) => handler && one !== handler));
      return this;
    }

    update(options) {
      Object.assign(this.options, options);
    }

    focus() {
      this.post({ verb: 'focus' });
    }

    collapse() {}

    post(message) {
      this.frame?.contentWindow?.postMessage(message, origin);
    }

    ask(verb, fields) {
      if (!this.frame) throw new Error('The Payment Element is not mounted.');
      calls += 1;
      const number = calls;
      return new Promise((resolve) => {
        this.waiting.set(number, resolve);
        this.post({ verb, number, ...fields });
      });
    }

    receive({ source, origin: sender, data }) {
      if (sender !== origin || source !== this.frame?.contentWindow) return;
      if (data.event === 'answer') {
        this.waiting.get(data.number)?.(data.result);
        this.waiting.delete(data.number);
      } else if (data.event === 'height') {
        this.frame.style.height = `${data.height}px`;
      } else {
        if (data.event === 'ready') this.post({ verb: 'appearance', appearance: this.elements.options.appearance });
        for (const handler of this.handlers.get(data.event) ?? []) handler({ elementType: 'payment', ...data.detail });
      }
    }
  }

  class Elements {
    constructor(stripe, options) {
      this.stripe = stripe;
      this.options = { ...options };
      this.element = null;
    }

    create(type, options = {}) {
      if (type !== 'payment') throw new Error(`The sandbox has no element of the type ${type}.`);
      if (this.element) throw new Error('Can only create one Element of type payment.');
      this.element = new PaymentElement(this, options);
      return this.element;
    }

    getElement(type) {
      return type === 'payment' ? this.element : null;
    }

    update(options) {
      Object.assign(this.options, options);
      if (options.appearance) this.element?.post({ verb: 'appearance', appearance: options.appearance });
    }

    async fetchUpdates() {
      return {};
    }

    async submit() {
      return this.element.ask('submit', {});
    }
  }

  class Stripe {
    constructor(key, { stripeAccount } = {}) {
      if (!/^pk_test_/.test(key)) throw new Error('The sandbox takes publishable test keys only.');
      this.key = key;
      this.account = stripeAccount;
    }

    elements(options = {}) {
      return new Elements(this, options);
    }

    async createConfirmationToken({ elements, params = {} }) {
      return elements.element.ask('token', { returnUrl: params.return_url ?? '' });
    }

    async retrievePaymentIntent(clientSecret) {
      const answer = await call('GET', `/_js/payment_intents/${readId(clientSecret)}`, this.account, {
        client_secret: clientSecret,
      });
      return answer.error ? answer : { paymentIntent: answer };
    }

    async confirmPayment({ elements, clientSecret, confirmParams = {}, redirect = 'always' }) {
      const secret = clientSecret ?? elements.options.clientSecret;
      const made = await this.createConfirmationToken({ elements, params: confirmParams });
      if (made.error) return made;
      const answer = await call('POST', `/_js/payment_intents/${readId(secret)}/confirm`, this.account, {
        client_secret: secret,
        confirmation_token: made.confirmationToken.id,
        return_url: confirmParams.return_url ?? '',
      });
      if (answer.error) return answer;
      const done = await this.finish(answer, secret);
      if (done.error || redirect === 'if_required') return done;
      return leave(returnUrl(confirmParams.return_url, done.paymentIntent));
    }

    async handleNextAction({ clientSecret }) {
      const { paymentIntent, error } = await this.retrievePaymentIntent(clientSecret);
      return error ? { error } : this.finish(paymentIntent, clientSecret);
    }

    async finish(intent, clientSecret) {
      const action = intent.next_action;
      if (!action) return { paymentIntent: intent };
      if (action.type === 'redirect_to_url') return leave(action.redirect_to_url.url);
      await showChallenge(`${origin}/_frame/challenge?${new URLSearchParams({ client_secret: clientSecret, account: this.account ?? '' })}`);
      const { paymentIntent, error } = await this.retrievePaymentIntent(clientSecret);
      if (error) return { error };
      return paymentIntent.status === 'requires_payment_method'
        ? { error: { ...paymentIntent.last_payment_error, payment_intent: paymentIntent } }
        : { paymentIntent };
    }
  }

  const readId = (clientSecret) => encodeURIComponent(String(clientSecret).split('_secret_')[0]);

  function leave(url) {
    window.location.assign(url);
    return new Promise(() => {}); // the page goes away: nothing is to run after it
  }

  function returnUrl(address, intent) {
    const url = new URL(address);
    url.searchParams.set('payment_intent', intent.id);
    url.searchParams.set('payment_intent_client_secret', intent.client_secret);
    url.searchParams.set('redirect_status', intent.status === 'succeeded' ? 'succeeded' : 'pending');
    return url.href;
  }

  // 3-D Secure in a dialog over the page, as Stripe.js shows it; the page in it says when it is done.
  function showChallenge(url) {
    return new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.title = '3D Secure';
      frame.src = url;
      frame.style.cssText =
        'position:fixed;inset:0;width:100%;height:100%;border:0;z-index:2147483647;background:#0008;color-scheme:normal';
      const done = ({ source, origin: sender, data }) => {
        if (sender !== origin || source !== frame.contentWindow || data.event !== 'challenge-done') return;
        window.removeEventListener('message', done);
        frame.remove();
        resolve();
      };
      window.addEventListener('message', done);
      document.body.append(frame);
      frame.focus();
    });
  }

  window.Stripe = Object.assign((key, options) => new Stripe(key, options), { version: 3 });
})();
