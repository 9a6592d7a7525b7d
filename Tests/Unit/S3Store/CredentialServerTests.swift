import Foundation
import ObjectStore
import S3Servers
import S3Store
import Synchronization
import TestSupport
import Testing
import TransferCommon

/// Tests each source of credentials with a server that answers as the real one does.
@Suite(.timeLimit(.minutes(5))) struct CredentialServerTests {
    /// The credentials that the chain of sources finds with these environment variables alone, without other settings
    /// of this machine.
    private func found(_ variables: [String: String]) async throws -> S3Credentials? {
        let alone = ["HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"]
        let chain = CredentialChain.standard(environment: alone.merging(variables) { $1 })
        return try await chain.credentials(insteadOf: nil)
    }

    // MARK: - Web identity

    private func withToken(_ token: String, _ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory("identity") { directory in
            let file = directory.appending(path: "token")
            try Data(token.utf8).write(to: file)
            try await body(file.path(percentEncoded: false))
        }
    }

    private func identity(_ file: String, _ server: ScriptedServer) -> [String: String] {
        [
            "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ENDPOINT_URL_STS": server.endpoint,
        ]
    }

    @Test func webIdentityIsExchangedForARole() async throws {
        let script: ScriptedServer.Script = { request in
            let token = String(decoding: request.body, as: UTF8.self).split(separator: "WebIdentityToken=").last ?? ""
            return .answer(status: 200, body: assumedRole(id: "ASIA1", token: "of-\(token)"))
        }
        try await ScriptedServer.withServer(script) { server in
            try await withToken("to.ken/1\n") { file in
                let chain = CredentialChain.standard(environment: identity(file, server))
                let first = try await chain.credentials(insteadOf: nil)
                #expect(first?.accessKeyID == "ASIA1" && first?.secretAccessKey == "secret of the role")
                #expect(first?.sessionToken?.hasPrefix("of-to.ken%2F1") == true)
                #expect(first?.expiration == Date(timeIntervalSince1970: 2_362_034_977))
                try Data("token2".utf8).write(to: URL(filePath: file))
                let second = try await chain.credentials(insteadOf: first)
                #expect(second?.sessionToken?.hasPrefix("of-token2") == true)
                let request = try #require(server.requests.first)
                #expect(request.method == "POST" && request.target == "/" && request.headers["authorization"] == nil)
                #expect(request.headers["content-type"] == "application/x-www-form-urlencoded")
                let body = String(decoding: request.body, as: UTF8.self)
                for field in [
                    "Action=AssumeRoleWithWebIdentity", "Version=2011-06-15",
                    "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
                    "RoleSessionName=sluice-gateway",
                ] { #expect(body.split(separator: "&").contains { $0 == field }, "\(field)") }
            }
        }
    }

    @Test(arguments: [
        (ScriptedAnswer.answer(status: 403, body: tokenServiceError("AccessDenied")), StoreError.Reason.denied),
        (.answer(status: 400, body: tokenServiceError("ExpiredTokenException")), .denied),
        (.answer(status: 400, body: tokenServiceError("IDPCommunicationError")), .unavailable),
        (.answer(status: 503), .unavailable), (.answer(status: 200, body: "<html/>"), .unavailable),
        (.answer(status: 200, body: String(repeating: " ", count: 70_000)), .unavailable), (.hangUp, .unavailable),
        (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<Assume"), .unavailable),
    ])
    func tokenServiceFailureIsReported(answer: ScriptedAnswer, reason: StoreError.Reason) async throws {
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withToken("token") { file in
                await expect(throwing: reason) { try await found(identity(file, server)) }
            }
        }
    }

    @Test func incompleteWebIdentityIsRefused() async throws {
        await expect(throwing: .denied) { try await found(["AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent"]) }
        await expect(throwing: .denied) {
            try await found(["AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent", "AWS_ROLE_ARN": "arn"])
        }
    }

    /// The request carries a token that permits assuming the role, so it is not sent in clear text over a network.
    @Test(arguments: [
        "http://sts.example.org", "http://10.0.0.1:8080/", "http://169.254.170.2", "http://127.0.0.1.example.org",
        "http://user@127.0.0.1/", "sts.example.org",
    ])
    func tokenServiceMustBeSafe(address: String) async throws {
        try await withToken("token") { file in
            let error = await #expect(throws: StoreError.self) {
                try await found([
                    "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn", "AWS_ENDPOINT_URL_STS": address,
                ])
            }
            #expect(error?.reason == .denied && error?.sentence.contains("AWS_ENDPOINT_URL_STS") == true)
        }
    }

    @Test func unresolvedTokenServiceIsNamed() async throws {
        try await withToken("token") { file in
            let error = await #expect(throws: StoreError.self) {
                try await found([
                    "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn",
                    "AWS_ENDPOINT_URL_STS": "https://sts.invalid",
                ])
            }
            #expect(
                error?.fullSentence == "The security token service cannot be reached "
                    + "(POST: the name sts.invalid cannot be resolved).")
        }
    }

    @Test(arguments: ["http://metadata.example.org", "http://10.0.0.1", "http://169.254.170.2", "metadata"])
    func metadataServiceMustBeSafe(address: String) async throws {
        let error = await #expect(throws: StoreError.self) {
            try await found(["AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": address])
        }
        #expect(error?.reason == .denied)
        #expect(error?.sentence.contains("AWS_EC2_METADATA_SERVICE_ENDPOINT") == true)
    }

    /// moto imitates the real service. It shows that the client works with code that is independent of this project.
    @Test func motosTokenServiceIsUnderstood() async throws {
        try await MotoServer.withServer { server in
            try await withToken("token") { file in
                let credentials = try await found([
                    "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/gateway",
                    "AWS_ENDPOINT_URL_STS": server.endpoint,
                ])
                #expect(credentials?.accessKeyID.hasPrefix("ASIA") == true && credentials?.sessionToken != nil)
                #expect(credentials?.expiration.map { $0 > Date() } == true)
            }
        }
    }

    // MARK: - Containers

    private static let document = """
        {"AccessKeyId": "ASIA2", "SecretAccessKey": "s", "Token": "t", "Expiration": "2044-11-06T08:49:37Z"}
        """

    @Test func containerAuthorizationFileComesFirst() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: Self.document) }) { server in
            try await withToken("of the file\n") { file in
                var variables = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.endpoint)/v1/credentials?a=b"]
                let bare = try await found(variables)
                #expect(bare?.accessKeyID == "ASIA2" && bare?.sessionToken == "t" && bare?.expiration != nil)
                variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "of the variable"
                _ = try await found(variables)
                variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = file
                _ = try await found(variables)
                let requests = server.requests
                #expect(requests.map { $0.headers["authorization"] } == [nil, "of the variable", "of the file"])
                #expect(requests.allSatisfy { $0.method == "GET" && $0.target == "/v1/credentials?a=b" })
            }
        }
    }

    @Test func aRelativePathIsThatOfTheContainerService() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: Self.document) }) { server in
            let variables = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"]
            let source = ContainerCredentials(environment: AWSEnvironment(variables), relativeOrigin: server.endpoint)
            let credentials = try await source.credentials(insteadOf: nil)
            #expect(credentials?.accessKeyID == "ASIA2")
            #expect(server.requests.map(\.target) == ["/v2/credentials/1"])
        }
        await expect(throwing: .denied) { try await found(["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@evil/"]) }
    }

    @Test(arguments: [
        (ScriptedAnswer.answer(status: 403, body: "{\"code\": \"no\"}"), StoreError.Reason.denied),
        (.answer(status: 500), .unavailable), (.answer(status: 200, body: "{"), .unavailable), (.hangUp, .unavailable),
    ])
    func containerRefusalIsReported(answer: ScriptedAnswer, reason: StoreError.Reason) async throws {
        try await ScriptedServer.withServer({ _ in answer }) { server in
            await expect(throwing: reason) { try await found(["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint]) }
        }
    }

    @Test func multilineAuthorizationIsRefused() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: Self.document) }) { server in
            await expect(throwing: .denied) {
                try await found([
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint,
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb: c",
                ])
            }
            #expect(server.requests.isEmpty)
        }
    }

    /// No source of credentials follows a redirect, because that would send its secrets to another server.
    @Test func noSourceFollowsRedirects() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: Self.document) }) { other in
            let answer = ScriptedAnswer.answer(status: 307, headers: [("Location", "\(other.endpoint)/stolen")])
            try await ScriptedServer.withServer({ _ in answer }) { server in
                await expect(throwing: .denied) {
                    try await found([
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a",
                    ])
                }
                try await withToken("token") { file in
                    await expect(throwing: .denied) { try await found(identity(file, server)) }
                }
                await expect(throwing: .denied) { try await found(metadata(server)) }
                #expect(server.requests.count == 3)
            }
            #expect(other.requests.isEmpty)
        }
    }

    // MARK: - Instance metadata

    /// - Parameter answers: whether the server answers; if so, the time limit allows for a busy machine.
    private func metadata(_ server: ScriptedServer, answers: Bool = true) -> [String: String] {
        [
            "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint,
            "AWS_METADATA_SERVICE_TIMEOUT": answers ? "30" : "5",
        ]
    }

    private static let folder = "/latest/meta-data/iam/security-credentials/"

    /// The metadata service of a virtual machine that has a role. The service answers only requests with a valid token.
    private static func machine(_ request: ScriptedRequest) -> ScriptedAnswer {
        if request.method == "PUT", request.target == "/latest/api/token" {
            let isAsked = request.headers["x-aws-ec2-metadata-token-ttl-seconds"].flatMap { Int($0) } != nil
            return isAsked ? .answer(status: 200, body: "token==") : .answer(status: 400)
        }
        guard request.method == "GET", request.headers["x-aws-ec2-metadata-token"] == "token==" else {
            return .answer(status: 401)
        }
        return switch request.target {
        case folder: .answer(status: 200, body: "gate way\n")
        case folder + "gate%20way": .answer(status: 200, body: document)
        default: .answer(status: 404)
        }
    }

    @Test func instanceRoleNeedsMetadataToken() async throws {
        try await ScriptedServer.withServer({ Self.machine($0) }) { server in
            let credentials = try await found(metadata(server))
            #expect(credentials?.accessKeyID == "ASIA2" && credentials?.sessionToken == "t")
            #expect(server.requests.map(\.method) == ["PUT", "GET", "GET"])
        }
    }

    /// If the machine has no metadata service, a disabled one, or no role, it has no credentials. This is not an error.
    @Test(arguments: [
        ScriptedAnswer.silence, .hangUp, .answer(status: 403), .answer(status: 404), .answer(status: 200),
        .answer(status: 200, body: "a\u{1}b"),
    ])
    func machineWithoutMetadataHasNoCredentials(answer: ScriptedAnswer) async throws {
        let answers = if case .silence = answer { false } else { true }
        try await ScriptedServer.withServer({ _ in answer }) { server in
            let source = InstanceCredentials(environment: AWSEnvironment(metadata(server, answers: answers)))
            let none = try await source.credentials(insteadOf: nil)
            #expect(none == nil)
            #expect(server.requests.map(\.method) == ["PUT"], "the first version is not tried")
        }
    }

    @Test(arguments: [(404, true), (500, false), (401, false)])
    func machineWithoutRoleHasNoCredentials(status: Int, isNone: Bool) async throws {
        let script: ScriptedServer.Script = { request in
            request.method == "PUT" ? .answer(status: 200, body: "token") : .answer(status: status)
        }
        try await ScriptedServer.withServer(script) { server in
            let source = InstanceCredentials(environment: AWSEnvironment(metadata(server)))
            guard !isNone else {
                let none = try await source.credentials(insteadOf: nil)
                return #expect(none == nil)
            }
            await expect(throwing: .unavailable) { try await source.credentials(insteadOf: nil) }
        }
    }

    // MARK: - The chain

    private func withHome(config: String, credentials: String = "", _ body: (String) async throws -> Void) async throws
    {
        try await withTemporaryDirectory("home") { home in
            let folder = home.appending(path: ".aws")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            try Data(config.utf8).write(to: folder.appending(path: "config"))
            try Data(credentials.utf8).write(to: folder.appending(path: "credentials"))
            try await body(home.path(percentEncoded: false))
        }
    }

    @Test func credentialsFileWinsOverConfigFile() async throws {
        let config = "[profile p]\nregion = eu-west-3\naws_access_key_id = old\naws_secret_access_key = old\n"
        try await withHome(config: config, credentials: "[p]\naws_access_key_id = new\n") { home in
            let variables = ["HOME": home, "AWS_PROFILE": "p"]
            let credentials = try await found(variables)
            #expect(credentials?.accessKeyID == "new" && credentials?.secretAccessKey == "old")
            #expect(SharedProfile.region(variables) == "eu-west-3")
            #expect(SharedProfile.region(variables.merging(["AWS_REGION": "us-west-1"]) { $1 }) == "us-west-1")
        }
    }

    @Test func aProfileMayNameAWebIdentity() async throws {
        try await ScriptedServer.withServer({ _ in
            .answer(status: 200, body: assumedRole(id: "ASIA1", token: "t"))
        }) { server in
            try await withToken("token") { file in
                let config = "[default]\nrole_arn = arn\nweb_identity_token_file = \(file)\nrole_session_name = me\n"
                try await withHome(config: config) { home in
                    let credentials = try await found(["HOME": home, "AWS_ENDPOINT_URL_STS": server.endpoint])
                    #expect(credentials?.accessKeyID == "ASIA1")
                    let body = String(decoding: try #require(server.requests.first).body, as: UTF8.self)
                    #expect(body.contains("RoleSessionName=me&"))
                }
            }
        }
    }

    @Test(arguments: ["credential_process = x", "sso_session = x", "role_arn = x\nsource_profile = y"])
    func unsupportedProfileIsReported(settings: String) async throws {
        try await withHome(config: "[default]\n\(settings)\n") { home in
            let error = await #expect(throws: StoreError.self) { try await found(["HOME": home]) }
            #expect(error?.reason == .denied)
            #expect(error?.sentence.contains(String(settings.prefix { $0 != " " })) == true)
        }
    }

    @Test func missingCredentialsListTriedSources() async throws {
        let error = await #expect(throws: StoreError.self) { try await found([:]) }
        #expect(error?.reason == .denied)
        #expect(
            error?.sentence == "No credentials for the S3 store were found; tried the environment, a web identity, "
                + "the shared files, a container's endpoint, the instance metadata (switched off).")
    }

    @Test func firstWorkingSourceIsKept() async throws {
        let first = Switch()
        let chain = CredentialChain(
            [
                .init("first", first),
                .init("second", FixedCredentials(S3Credentials(accessKeyID: "2", secretAccessKey: ""))),
            ],
            logger: quietLogger)
        first.credentials.withLock { $0 = S3Credentials(accessKeyID: "1", secretAccessKey: "") }
        let credentials = try await chain.credentials(insteadOf: nil)
        #expect(credentials?.accessKeyID == "1")
        first.credentials.withLock { $0 = nil }
        await expect(throwing: .unavailable) { try await chain.credentials(insteadOf: nil) }
    }
}

/// A source that returns the credentials which a test has set.
private final class Switch: S3CredentialSource {
    let credentials = Mutex<S3Credentials?>(nil)

    func credentials(insteadOf expired: S3Credentials?) -> S3Credentials? { credentials.withLock { $0 } }
}
