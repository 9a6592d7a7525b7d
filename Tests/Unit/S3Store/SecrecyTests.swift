import Foundation
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import TestSupport
import Testing
import TransferCommon

/// Secrets and tokens are sent only to the server that needs them, and shown nowhere.
@Suite(.timeLimit(.minutes(5))) struct SecrecyTests {
    private static let secret = "hidden-7d1f"

    /// Environment variables for every source of credentials. All secrets contain the same word, which the tests then
    /// search for.
    private static func variables(_ server: ScriptedServer, tokenFile: String) -> [[String: String]] {
        [
            ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "\(secret)-key", "AWS_SESSION_TOKEN": "\(secret)-t"],
            [
                "AWS_WEB_IDENTITY_TOKEN_FILE": tokenFile, "AWS_ROLE_ARN": "arn",
                "AWS_ENDPOINT_URL_STS": "\(server.endpoint)/sts",
            ],
            [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": "\(secret)-authorization",
            ],
            ["AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint],
        ].map { ["HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"].merging($0) { $1 } }
    }

    @Test(arguments: [
        ("the key abc is bad", "abc", "the key … is bad"), ("abcabc", "abc", "……"), ("ab", "abc", "ab"),
        ("", "abc", ""), ("abc\u{301}", "abc", "…\u{301}"), ("abc", "", "abc"), ("é abc", "é", "… abc"),
    ])
    func textHidesASecret(text: String, secret: String, hidden: String) {
        #expect(text.hiding(secret).utf8.elementsEqual(hidden.utf8))
    }

    private static let document =
        "{\"AccessKeyId\": \"id\", \"SecretAccessKey\": \"\(secret)-key\", \"Token\": \"\(secret)-token\", "
        + "\"Expiration\": \"2044-11-06T08:49:37Z\"}"

    /// Plays the servers of all credential sources and the store. The store's answers quote the credentials in the
    /// request.
    private static func script(_ status: Int, _ code: String) -> ScriptedServer.Script {
        { request in
            if request.target.hasPrefix("/sts") {
                let role = assumedRole(id: "id", token: "\(secret)-token")
                return .answer(status: 200, body: role.replacing("secret of the role", with: "\(secret)-key"))
            }
            if request.target == "/latest/api/token" { return .answer(status: 200, body: "\(secret)-metadata") }
            if request.target.hasSuffix("/security-credentials/") { return .answer(status: 200, body: "role") }
            if request.target == "/container" || request.target.hasPrefix("/latest") {
                return .answer(status: 200, body: document)
            }
            let quoted = request.headers["x-amz-security-token"] ?? ""
            return .answer(status: status, body: error(code, "The token \(quoted) and the key \(secret)-key are bad."))
        }
    }

    @Test(arguments: [(403, "AccessDenied"), (400, "ExpiredToken"), (403, "SignatureDoesNotMatch"), (503, "SlowDown")])
    func storeRefusalsHideSecrets(status: Int, code: String) async throws {
        try await ScriptedServer.withServer(Self.script(status, code)) { server in
            try await withTokenFile { file in
                for variables in Self.variables(server, tokenFile: file) {
                    let record = LogRecord()
                    let chain = CredentialChain.standard(environment: variables, logger: record.logger)
                    var configuration = try S3Configuration(bucket: "b", endpoint: server.endpoint)
                    configuration.retries.attemptsMax = 2
                    configuration.retries.delayFirst = .milliseconds(1)
                    let store = S3Store(configuration: configuration, credentials: chain, logger: record.logger)
                    let failure = await #expect(throws: StoreError.self) {
                        try await shuttingDown(store) { try await $0.listParts(key: "k", upload: "u", after: nil) }
                    }
                    let isUsed = server.requests.contains { request in
                        request.headers["x-amz-security-token"]?.contains(Self.secret) == true
                    }
                    #expect(isUsed)
                    expectNoSecret(in: failure, record, chain)
                }
            }
        }
    }

    @Test(arguments: [200, 400, 403, 500]) func sourceFailuresHideSecrets(status: Int) async throws {
        let script: ScriptedServer.Script = { request in
            if request.target == "/latest/api/token" { return .answer(status: 200, body: "\(Self.secret)-metadata") }
            let sent = request.headers.values.joined(separator: " ") + String(decoding: request.body, as: UTF8.self)
            let json = "{\"AccessKeyId\": \"\", \"SecretAccessKey\": \"\(Self.secret)\", \"Message\": \"\(sent)\""
            let body =
                request.target.hasPrefix("/sts")
                ? tokenServiceError("InvalidIdentityToken", message: sent) : json
            return .answer(status: status, body: body)
        }
        try await ScriptedServer.withServer(script) { server in
            try await withTokenFile { file in
                for variables in Self.variables(server, tokenFile: file).dropFirst() {
                    let record = LogRecord()
                    let chain = CredentialChain.standard(environment: variables, logger: record.logger)
                    let store = S3Store(
                        configuration: try S3Configuration(bucket: "b", endpoint: server.endpoint), credentials: chain,
                        logger: record.logger)
                    let failure = await #expect(throws: StoreError.self) {
                        try await shuttingDown(store) { try await $0.listParts(key: "k", upload: "u", after: nil) }
                    }
                    expectNoSecret(in: failure, record, chain)
                }
            }
        }
    }

    /// The session token contains characters that the HTTP client cannot send in a header. The error of the HTTP client
    /// would quote the whole header, so the store client refuses the token before that.
    @Test(arguments: ["-token\r\nx: y", "-token\n", "-t\u{F6}k", "\u{0}"])
    func invalidCharactersAreRefusedUnshown(end: String) async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200) }) { server in
            let record = LogRecord()
            let chain = CredentialChain.standard(
                environment: [
                    "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "\(Self.secret)-key",
                    "AWS_SESSION_TOKEN": Self.secret + end,
                ], logger: record.logger)
            let store = S3Store(
                configuration: try S3Configuration(bucket: "b", endpoint: server.endpoint), credentials: chain,
                logger: record.logger)
            let failure = await #expect(throws: StoreError.self) {
                try await shuttingDown(store) { try await $0.listParts(key: "k", upload: "u", after: nil) }
            }
            #expect(failure?.reason == .denied && server.requests.isEmpty)
            expectNoSecret(in: failure, record, chain)
        }
    }

    @Test func aFailedRenewalIsLoggedWithoutASecret() async throws {
        let record = LogRecord()
        let source = NumberedCredentials { $0 == 1 ? nil : StoreError(.unavailable, "The source is away.") }
        try await ScriptedServer.withServer({ _ in .answer(status: 400, body: error("ExpiredToken")) }) { server in
            let store = S3Store(
                configuration: try S3Configuration(bucket: "b", endpoint: server.endpoint), credentials: source,
                logger: record.logger)
            await expect(throwing: .unavailable) {
                try await shuttingDown(store) { try await $0.listParts(key: "k", upload: "u", after: nil) }
            }
        }
        #expect(record.lines.contains { $0.hasPrefix("warning") && $0.contains("The source is away.") })
        #expect(!record.lines.contains { $0.contains("token1") || $0.contains("secret") })
    }

    /// Checks that nothing which appears in logs, messages or a debugger contains a secret.
    private func expectNoSecret(in failure: StoreError?, _ record: LogRecord, _ chain: CredentialChain) {
        var shown = record.lines.joined(separator: "\n")
        for value: Any in [failure as Any, failure?.cause as Any, chain] {
            dump(value, to: &shown)
            shown += "\n\(value)\n\(String(reflecting: value))\n"
        }
        #expect(failure != nil && !shown.contains(Self.secret), "\(shown)")
    }

    private func withTokenFile(_ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory("identity") { directory in
            let file = directory.appending(path: "token")
            try Data("\(Self.secret)-identity".utf8).write(to: file)
            try await body(file.path(percentEncoded: false))
        }
    }
}
