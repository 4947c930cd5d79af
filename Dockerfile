# Rowbeat's processes in one image: `docker run … rowbeat api`, `rowbeat worker`, `rowbeat beat`, `rowbeat migrate`.
# Node runs the TypeScript as it is; only what browsers load of the panel is built. No PostgreSQL inside: DATABASE_URL says where it is.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# What people who install the package choose themselves (fastify, adminjs, drizzle-orm) and what the example apps use are
# development packages of the clone; here they run. Their versions stay those of the lock file.
ARG RUNS="fastify adminjs drizzle-orm zod nodemailer csv-parse @fastify/multipart"
RUN node -e ' \
      const fs = require("fs"), package = JSON.parse(fs.readFileSync("package.json", "utf8")); \
      for (const name of process.argv.slice(1)) package.dependencies[name] = package.devDependencies[name]; \
      package.devDependencies = {}; \
      fs.writeFileSync("package.json", JSON.stringify(package))' $RUNS \
 && npm install --omit=dev --omit=peer --ignore-scripts --no-audit --no-fund

# What browsers load of the panel, made by esbuild, which nothing else here needs.
FROM node:24-slim AS panel
WORKDIR /app
COPY package.json ./
RUN version=$(node -p 'require("./package.json").devDependencies.esbuild') && rm package.json \
 && npm install --ignore-scripts --no-audit --no-fund "esbuild@$version"
COPY bin/panel-build.mjs bin/
COPY admin admin
COPY src src
RUN node bin/panel-build.mjs --force

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 ROWBEAT_DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY bin bin
COPY drizzle drizzle
COPY data data
COPY src src
COPY admin admin
COPY --from=panel /app/admin/dist admin/dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4000
ENTRYPOINT ["node", "bin/rowbeat.js"]
CMD ["api"]
