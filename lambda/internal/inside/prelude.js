// Evaluated before each lambda, in the same machine. Its value is a function
// that prepares one call. All that it uses later is taken out of the globals
// now: what a lambda does to them hurts that call alone.
(() => {
	"use strict";
	const { parse, stringify } = JSON;
	const { freeze, getPrototypeOf, hasOwn, keys, defineProperty } = Object;
	const { isArray } = Array;
	const { construct } = Reflect;
	const isPromise = ((real) => (v) => v instanceof real)(Promise);
	const isError = ((real) => (v) => v instanceof real)(Error);
	const asText = String;
	const strange = [async () => {}, function* () {}, async function* () {}].map(getPrototypeOf);
	const host = globalThis.host;
	for (const name of ["host", "performance"]) delete globalThis[name];

	const complain = (words) => { host("complain", words); };

	const frozen = (v) => {
		if (typeof v !== "object" || v === null) return v;
		const names = keys(v);
		for (let i = 0; i < names.length; i++) frozen(v[names[i]]);
		return freeze(v);
	};

	const shown = (v) => {
		if (typeof v !== "object" || v === null || isError(v)) return asText(v);
		try {
			return stringify(v) ?? asText(v);
		} catch {
			return "a value that cannot be shown";
		}
	};
	const log = (...values) => {
		let line = "";
		for (let i = 0; i < values.length && line.length < 2000; i++) line += (i > 0 ? " " : "") + shown(values[i]);
		host("log", line);
	};

	// sfc32, whose state is made from the seed.
	const dice = (a, b, c, d) => () => {
		const t = (((a + b) | 0) + d) | 0;
		d = (d + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = (((c << 21) | (c >>> 11)) + t) | 0;
		return (t >>> 0) / 4294967296;
	};

	const stopClock = (now) => {
		const Real = Date;
		const Stopped = function Date(...given) {
			if (new.target === undefined) return asText(new Real(now));
			return construct(Real, given.length > 0 ? given : [now], new.target);
		};
		const hidden = (name, value) => defineProperty(Stopped, name, { value, writable: true, configurable: true });
		hidden("now", () => now);
		hidden("parse", Real.parse);
		hidden("UTC", Real.UTC);
		defineProperty(Stopped, "length", { value: 7, configurable: true });
		defineProperty(Stopped, "prototype", { value: Real.prototype, writable: false });
		defineProperty(Real.prototype, "constructor", { value: Stopped, writable: true, configurable: true });
		defineProperty(globalThis, "Date", { value: Stopped, writable: true, configurable: true });
		return () => new Real(now);
	};

	const context = (text, today) => {
		const ctx = parse(text);
		frozen(ctx.config), frozen(ctx.ticket), frozen(ctx.action);
		ctx.now = today();
		ctx.log = log;
		ctx.cidr = (ip, range) => host("cidr", ip, range);
		ctx.hash = (text, algorithm = "sha256") => host("hash", text, algorithm);
		ctx.base64 = freeze({ encode: (text) => host("encode", text), decode: (text) => host("decode", text) });
		ctx.parseUrl = (text) => parse(host("url", text));
		return freeze(ctx);
	};

	const kind = (v) => (isArray(v) ? "a list" : typeof v === "object" || typeof v === "undefined" ? "an object" : "a " + typeof v);
	const wanted = "; return the alert, or null to drop it";

	const written = (alert, most) => {
		if (alert === null) return null;
		if (typeof alert !== "object" || isArray(alert)) complain("returned " + kind(alert) + wanted);
		const text = stringify(alert);
		if (typeof text !== "string" || text[0] !== "{") complain("returned what is no JSON object" + wanted);
		if (text.length > most) complain("returned an alert of more than " + most / 1024 + " KiB");
		return text;
	};

	const finish = (result, most) => {
		if (result === undefined) complain("returned nothing" + wanted);
		if (typeof result !== "object" || result === null || isArray(result)) return written(result, most);
		if (isPromise(result) || typeof result.then === "function") complain("returned a promise, and nobody waits for it; lambdas are not async" + wanted);
		if (!hasOwn(result, "alert")) return written(result, most);
		const { alert, logs } = result;
		if (typeof alert !== "object") return written(result, most);
		if (isArray(logs)) for (let i = 0; i < logs.length && i < 200; i++) log(logs[i]);
		return written(alert, most);
	};

	const exported = (module) => {
		const f = module === undefined || module === null ? undefined : module.default;
		if (f === undefined) complain("there is no default export; write export default (alert, ctx) => alert");
		if (typeof f !== "function") complain("the default export is " + kind(f) + ", not a function; write export default (alert, ctx) => alert");
		const proto = getPrototypeOf(f);
		if (proto === strange[0] || proto === strange[2]) complain("the default export is an async function, and nobody waits for it; leave async out");
		if (proto === strange[1]) complain("the default export is a generator; leave the * out");
		return f;
	};

	return (now, a, b, c, d) => {
		const roll = dice(a, b, c, d);
		for (let i = 0; i < 12; i++) roll();
		Math.random = roll;
		const today = stopClock(now);
		const lines = freeze({ log, info: log, warn: log, error: log, debug: log });
		defineProperty(globalThis, "console", { value: lines, writable: true, configurable: true });
		return (module, alert, ctx, most) => {
			const f = exported(module);
			return alert === null ? null : finish(f(parse(alert), context(ctx, today)), most);
		};
	};
})();
