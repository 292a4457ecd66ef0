// An identity provider (npm `oidc-provider`) that tells the levels of SPID and the codice fiscale, as the gateway of a
// Comune does. Nobody is at a browser here: a grant of its own names the person, and may ask for a token with claims
// or a header that a gateway would never issue.
import * as http from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const GRANT = 'urn:sportello:grant-type:person';
const FISCAL_NUMBER = 'https://attributes.eid.gov.it/fiscal_number';
const LEVELS = [1, 2, 3].map((n) => `https://www.spid.gov.it/SpidL${n}`);

let published;
const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  published = publicKey.export({ format: 'pem', type: 'spki' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' };
};


let keys = [newKey()];
let fetched = 0;
let provider;

function start(issuer) {
  provider = new Provider(issuer, {
    jwks: { keys },
    acrValues: LEVELS,
    claims: { openid: ['sub', FISCAL_NUMBER], acr: null },
    clients: [{
      client_id: 'page', grant_types: [GRANT], redirect_uris: [],
      response_types: [], token_endpoint_auth_method: 'none',
    }],
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => ({
          audience: resource, scope: '', accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (ctx) => ({
      [FISCAL_NUMBER]: `TINIT-${ctx.oidc.params.person}`, given_name: 'Anna', family_name: 'Prova', acr: ctx.oidc.params.acr_values,
    }),
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { claims, header } = ctx.oidc.params;
          // A null takes a claim away.
          Object.assign(jwt.payload, JSON.parse(claims ?? '{}'));
          for (const [name, value] of Object.entries(jwt.payload)) if (value === null) delete jwt.payload[name];
          jwt.header = { ...jwt.header, ...JSON.parse(header ?? '{}') };
        },
      },
    },
  });
  provider.registerGrantType(GRANT, async (ctx) => {
    const { AccessToken, ResourceServer } = ctx.oidc.provider;
    const { client, params } = ctx.oidc;
    const token = new AccessToken({ client, accountId: `account-of-${params.person}`, gty: GRANT });
    token.resourceServer = new ResourceServer(params.audience, {
      audience: params.audience, scope: '', accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
    });
    ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: 600 };
  }, ['person', 'audience', 'acr_values', 'claims', 'header']);
}

const server = http.createServer((request, response) => {
  const answer = (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  // What a test asks of it, beside what an identity provider answers.
  if (request.url === '/test/rotation') {
    keys = [newKey()];
    start(provider.issuer);
    return answer({});
  }
  if (request.url === '/test/public-key') return answer({ pem: published });
  if (request.url === '/test/fetches') return answer({ fetches: fetched });
  if (request.url === '/jwks') fetched += 1;
  return provider.callback()(request, response);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  start(`http://127.0.0.1:${port}`);
  console.log(`ready ${port}`);
});
