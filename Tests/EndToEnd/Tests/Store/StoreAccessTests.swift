import Foundation
import S3Servers
import ScriptedS3
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of a gateway's access to its store: how it reaches the store, which certificates it trusts, and where it
    /// gets its credentials.
    @Suite
    struct StoreAccessTests {
        /// Runs `serve`, which exits by itself if it cannot use its store.
        private func serve(
            _ site: Site, _ options: [String], _ variables: [String: String] = [:]
        ) async throws -> Program {
            let environment = site.storage.environment.merging(variables) { $1 }
            return try await run(
                .built("sluice-gateway"),
                ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0"] + options,
                environment: Program.environment(adding: environment))
        }

        private func expect(
            _ program: Program, exits status: Int32, saying words: String...,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(program.exitStatus == .exited(status), "\(program.transcript)", sourceLocation: sourceLocation)
            let told = program.lines(of: .standardError).last ?? ""
            for word in words { #expect(told.contains(word), "\(told)", sourceLocation: sourceLocation) }
            expectReadable(told, sourceLocation: sourceLocation)
        }

        @Test func untrustedStoreIsRefused() async throws {
            try await Site.with(.motoOverTLS) { site in
                let storage = try #require(site.storage as? S3Storage)
                let plain = ["--store", "s3://bucket/site", "--s3-endpoint", storage.server.endpoint]
                let authorities = try #require(storage.authorities)
                let other = site.directory.appending(path: "other")
                try FileManager.default.createDirectory(at: other, withIntermediateDirectories: false)
                let wrong = try await ServerCertificate.make(in: other).authorityPath

                try expect(
                    try await serve(site, plain), exits: 69, saying: "certificate", "no authority", "--s3-ca")
                try expect(
                    try await serve(site, plain, ["SLUICE_S3_CA": wrong]), exits: 69, saying: "certificate", "--s3-ca")
                let host = storage.server.endpoint.replacing("localhost", with: "127.0.0.1")
                try expect(
                    try await serve(site, plain + ["--s3-ca", authorities, "--s3-endpoint", host]), exits: 69,
                    saying: "another host", "--s3-endpoint")
                for options in [
                    ["--s3-ca", site.path("missing")], ["--s3-ca", site.path("pin")],
                    ["--s3-ca", authorities, "--s3-endpoint", "http://127.0.0.1:1"],
                ] { try expect(try await serve(site, plain + options), exits: 64, saying: "--s3-ca") }
            }
        }

        /// As in a Kubernetes pod, the token service is the gateway's only source of credentials.
        @Test func aGatewayWithAWebIdentityUploads() async throws {
            try await Site.with(.moto) { site in
                let storage = try #require(site.storage as? S3Storage)
                try Data("a token".utf8).write(to: site.directory.appending(path: "token"))
                var variables = [
                    "AWS_WEB_IDENTITY_TOKEN_FILE": site.path("token"),
                    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/gateway", "AWS_ACCESS_KEY_ID": "",
                    "AWS_SECRET_ACCESS_KEY": "", "HOME": site.path("nowhere"),
                ]
                variables["AWS_ENDPOINT_URL_STS"] = storage.server.endpoint
                try await site.withGateway(environment: variables) { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let file = try site.makeLargeFile()
                    _ = try await agent.run(site.push(file))
                    try await site.expectObject("file", equals: file)
                }
                variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = ""
                try expect(
                    try await serve(site, storage.options, variables), exits: 69, saying: "No credentials",
                    "a web identity", "instance metadata")
            }
        }

        /// As in a container, a server supplies the credentials. The store twice rejects them as expired.
        @Test func credentialsThatExpireInMidUploadAreRenewed() async throws {
            let script: ScriptedServer.Script = { _ in
                .answer(
                    status: 200,
                    body: """
                        {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "\(UUID().uuidString)",
                        "Expiration": "2044-11-06T08:49:37Z"}
                        """)
            }
            try await ScriptedServer.withServer(script) { server in
                try await Site.scripted(.minio) { site, s3 in
                    let variables = [
                        "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": site.path("nowhere"),
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/credentials",
                    ]
                    try await site.withGateway(environment: variables) { gateway in
                        let agent = try await site.makeAgent(port: gateway.port)
                        let file = try site.makeFile("file", bytes: 5 * site.partBytes)
                        s3.inject(.refuse(status: 400, code: "ExpiredToken"), into: .uploadPart, part: 3)
                        s3.inject(.refuse(status: 400, code: "ExpiredToken"), into: .completeUpload)
                        let run = try await agent.run(site.push(file))
                        #expect(run.outcomes == ["stored"])
                        try await site.expectObject("file", equals: file)
                        // The gateway requests credentials once at its start, and once after each of the two expiries.
                        #expect(server.requests.count == 3)
                    }
                }
            }
        }

        @Test func nestedAnswersDoNotEndTheGateway() async throws {
            try await Site.scripted(.minio) { site, s3 in
                try await site.withGateway { gateway in
                    let agent = try await site.makeAgent(port: gateway.port)
                    let depth = 40_000
                    let nested = String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
                    for operation in [S3Call.Operation.uploadPart, .completeUpload] {
                        s3.inject(.answer(status: 503, body: "<Error>\(nested)</Error>"), into: operation)
                    }
                    let file = try site.makeFile("file", bytes: 5 * site.partBytes)
                    let run = try await agent.run(site.push(file))
                    #expect(run.outcomes == ["stored"])
                    try await site.expectObject("file", equals: file)
                }
            }
        }

        /// No name service knows the store's host name. Only the proxy, which an environment variable names, can reach
        /// the store.
        @Test func storeBehindAProxyIsUsed() async throws {
            try await Site.scripted(.minio) { site, s3 in
                let port = try #require(s3.endpoint.split(separator: ":").last.flatMap { Int($0) })
                try await ForwardProxy.withProxy(upstreamPort: port) { proxy in
                    let options = ["--s3-endpoint", "http://store.test:9000"]
                    let variables = ["HTTP_PROXY": "http://\(proxy.authority)"]
                    try await site.withGateway(options, environment: variables) { gateway in
                        let agent = try await site.makeAgent(port: gateway.port)
                        let file = try site.makeFile("file", bytes: 3 * site.partBytes)
                        _ = try await agent.run(site.push(file))
                        try await site.expectObject("file", equals: file)
                    }
                    #expect(Set(proxy.hosts) == ["store.test:9000"])
                }
                let variables = ["HTTP_PROXY": "socks5://127.0.0.1:1"]
                try expect(try await serve(site, site.storage.options, variables), exits: 64, saying: "HTTP_PROXY")
            }
        }

        /// The endpoint is an IP address, and `--s3-addressing virtual` puts the bucket's name before it. No name
        /// service knows the resulting host name.
        @Test func unresolvedNameEndsTheStart() async throws {
            try await Site.scripted(.minio) { site, s3 in
                try expect(
                    try await serve(site, site.storage.options + ["--s3-addressing", "virtual"]), exits: 75,
                    saying: "the name bucket.127.0.0.1 cannot be resolved", "--s3-addressing")
                #expect(s3.calls.isEmpty)
            }
        }

        @Test func aRedirectToAnotherServerEndsTheStart() async throws {
            try await ScriptedServer.withServer({ _ in .answer(status: 200) }) { other in
                let answer = ScriptedAnswer.answer(
                    status: 307, headers: [("Location", "\(other.endpoint)/bucket/key")])
                try await ScriptedServer.withServer({ _ in answer }) { server in
                    try await Site.with { site in
                        let variables = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"]
                        let options = ["--store", "s3://bucket", "--s3-endpoint", server.endpoint]
                        try expect(
                            try await serve(site, options, variables), exits: 69, saying: "another address",
                            "--s3-endpoint")
                    }
                }
                #expect(other.requests.isEmpty)
            }
        }
    }
}
