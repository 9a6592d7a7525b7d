import Foundation
import ObjectStore
import ObjectStoreConformance
import RepositoryFiles
import S3Servers
import S3Store
import TestSupport
import Testing
import TransferCommon
import WireProtocol

@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("http://127.0.0.1:9000", "127.0.0.1", "generic", "us-east-1"),
        ("https://Storage.Example.com/", "storage.example.com", "generic", "us-east-1"),
        ("http://[::1]:9000", "[::1]", "generic", "us-east-1"),
        ("https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "aws", "eu-west-1"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com.cn", "aws", "cn-north-1"),
        ("https://abc.r2.cloudflarestorage.com", "abc.r2.cloudflarestorage.com", "r2", "auto"),
        ("https://s3.fr-par.scw.cloud", "s3.fr-par.scw.cloud", "scaleway", "us-east-1"),
    ])
    func anEndpointTellsItsProviderAndRegion(text: String, host: String, provider: String, region: String) throws {
        let configuration = try S3Configuration(bucket: "bucket", endpoint: text)
        #expect(configuration.endpoint.hostName(region: configuration.region) == host)
        #expect(configuration.provider.name == provider)
        #expect(configuration.region == region)
    }

    @Test func withoutAnEndpointItIsAWS() throws {
        let configuration = try S3Configuration(bucket: "bucket", region: "eu-central-1")
        #expect(configuration.endpoint.hostName(region: "eu-central-1") == "s3.eu-central-1.amazonaws.com")
        #expect(configuration.provider.name == "aws" && configuration.addressing == .virtual)
    }

    /// A bucket that is named in the path may have any name, because only the store knows its rules. With TLS, a name
    /// with a dot is in the path.
    @Test(arguments: [
        ("abc", true), ("my.bucket-1", true), ("1st-bucket", true), (String(repeating: "a", count: 63), true),
        ("ab", false), (String(repeating: "a", count: 64), false), ("My-bucket", false), ("my_bucket", false),
        ("my..bucket", false), ("my_bucket..x", false), ("-bucket", false), ("bucket-", false), (".bucket", false),
        ("bucket.", false), ("my.-bucket", false), ("my-.bucket", false), ("192.168.5.4", false), ("1.2.3", true),
    ])
    func bucketInAHostNameFollowsTheRulesOfS3(bucket: String, isValid: Bool) throws {
        for endpoint in [nil, "http://s3.eu-west-1.amazonaws.com"] {
            if isValid || endpoint == nil && bucket.contains(".") {
                _ = try S3Configuration(bucket: bucket, endpoint: endpoint, addressing: .virtual)
            } else {
                let error = #expect(throws: S3ConfigurationError.self) {
                    try S3Configuration(bucket: bucket, endpoint: endpoint, addressing: .virtual)
                }
                #expect(error?.description.contains("3 to 63 small letters") == true)
            }
        }
        _ = try S3Configuration(bucket: bucket, endpoint: "http://127.0.0.1:9000")
        _ = try S3Configuration(bucket: bucket, addressing: .path)
    }

    @Test func operatorSettingsWin() throws {
        let configuration = try S3Configuration(
            bucket: "b", endpoint: "https://s3.amazonaws.com", region: "eu-west-1", addressing: .path, provider: .ceph)
        #expect(configuration.endpoint.hostName(region: "eu-west-1") == "s3.eu-west-1.amazonaws.com")
        #expect(configuration.addressing == .path && configuration.provider.name == "ceph")
    }

    @Test(arguments: [
        "", "s3.example.com", "ftp://host", "http://", "http:///path", "http://user@host", "http://host?x",
        "http://host:0", "http://host:99999", "http://host:x", "https://ho st", "http://host//path", "http://host/a//b",
        "http://host/a/../b", "http://host/./a", "http://host/a?x", "http://host/a#x", "http://host/a b",
        "http://host/%41", "http://host/é", "https://s3.amazonaws.com/bucket",
    ])
    func invalidEndpointsAreRefused(text: String) {
        #expect(throws: S3ConfigurationError.self) { try S3Configuration(bucket: "bucket", endpoint: text) }
    }

    /// The store computes the signature over the path that it receives, so the signature covers the endpoint's path.
    @Test(.timeLimit(.minutes(5)), arguments: [("", ""), ("/", ""), ("/s3/v1.0~x", "/s3/v1.0~x"), ("/s3/", "/s3")])
    func pathOfTheEndpointIsSentAndSigned(text: String, path: String) async throws {
        let page = ScriptedAnswer.answer(status: 200, body: "<ListPartsResult><UploadId>u</UploadId></ListPartsResult>")
        try await ScriptedServer.withServer({ _ in page }) { server in
            let configuration = try S3Configuration(
                bucket: "b", endpoint: server.endpoint + text, region: "r", addressing: .path)
            #expect(configuration.endpoint.path == path)
            let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
            _ = try await shuttingDown(store) { try await $0.listParts(key: "k", upload: "u", after: nil) }
            let request = try #require(server.requests.first)
            #expect(request.target == "\(path)/b/k?max-parts=1000&uploadId=u")
            let subject = S3Signature.Subject(
                method: "GET", path: "\(path)/b/k", query: [("max-parts", "1000"), ("uploadId", "u")],
                headers: ["host", "x-amz-content-sha256", "x-amz-date"].map { ($0, request.headers[$0] ?? "") },
                payload: request.headers["x-amz-content-sha256"] ?? "")
            let time = request.headers["x-amz-date"] ?? ""
            let key = try S3SigningKey(secretAccessKey: "secret", day: String(time.prefix(8)), region: "r")
            let expected = try S3Signature.authorization(of: subject, timestamp: time, accessKeyID: "id", key: key)
            #expect(request.headers["authorization"] == expected)
        }
    }

    /// One rule decides whether a host is this machine. A connection to this machine needs no TLS, may carry
    /// credentials in clear text, and uses no proxy.
    @Test(arguments: [
        ("127.0.0.1", true), ("127.8.0.1", true), ("localhost", true), ("LocalHost", true), ("[::1]", true),
        ("[0:0:0:0:0:0:0:1]", true), ("[::ffff:127.0.0.1]", true), ("127.1", false), ("127.0.0.256", false),
        ("127.0.0.01", false), ("127.example.com", false), ("localhost.example.com", false), ("10.0.0.1", false),
        ("[fe80::1]", false),
    ])
    func thisMachineIsKnownByOneRule(host: String, isThisMachine: Bool) throws {
        let endpoint = try S3Endpoint(parsing: "http://\(host):9000")
        #expect((S3Provider.generic.objection(to: endpoint) == nil) == isThisMachine)
        #expect(ContainerCredentials.isSafe("http://\(host)/x") == isThisMachine)
        let proxies = try ProxySettings(environment: AWSEnvironment(["HTTP_PROXY": "http://proxy.example:8080"]))
        #expect((proxies.proxy(host: host, port: 9000, isSecure: false) == nil) == isThisMachine)
    }

    @Test(arguments: ["EU-west", "a.b", "", "a/b"])
    func invalidRegionsAreRefused(region: String) {
        #expect(throws: S3ConfigurationError.self) { try S3Configuration(bucket: "bucket", region: region) }
    }

    /// However the address of the store is written, its identity is the one in Protocol/vectors/receipt.txt.
    @Test func identityMatchesTheVector() throws {
        let text = try String(
            contentsOf: RepositoryFiles.root.appending(path: "Protocol/vectors/receipt.txt"), encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("storeIdentity | ") })
        let expected = String(line.dropFirst("storeIdentity | ".count))
        func identity(_ endpoint: String?, region: String? = nil, prefix: String = "plant/") throws -> String {
            try S3Configuration(bucket: "edge-files", prefix: prefix, endpoint: endpoint, region: region)
                .identity.description
        }
        #expect(try identity(nil, region: "eu-central-1") == expected)
        #expect(try identity("https://s3.eu-central-1.amazonaws.com") == expected)
        #expect(try identity("https://S3.eu-central-1.amazonaws.com:443/") == expected)
        #expect(try identity("https://s3.amazonaws.com", region: "eu-central-1") == expected)
        for other in [
            try identity("http://s3.eu-central-1.amazonaws.com"),
            try identity("https://s3.eu-central-1.amazonaws.com:444"), try identity(nil, region: "eu-west-1"),
            try identity(nil, region: "eu-central-1", prefix: ""), try identity("https://storage.example.com"),
        ] { #expect(other != expected) }
        let one = try identity("https://storage.example.com/one/")
        #expect(try one == identity("https://storage.example.com:443/one"))
        #expect(
            try one != identity("https://storage.example.com") && one != identity("https://storage.example.com/two"))
    }

    @Test func providerNamesAreUnique() {
        #expect(Set(S3Provider.all.map(\.name)).count == S3Provider.all.count)
        for provider in S3Provider.all { #expect(S3Provider.named(provider.name) == provider) }
        #expect(S3Provider.named("unheard-of") == nil)
    }

    // MARK: - Credentials

    @Test func theEnvironmentComesFirst() async throws {
        let environment = [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
            "HOME": "/nonexistent",
        ]
        let found = try await CredentialChain.standard(environment: environment).credentials(insteadOf: nil)
        #expect(found == S3Credentials(accessKeyID: "id", secretAccessKey: "secret", sessionToken: "token"))
    }

    @Test func incompleteEnvironmentIsRefused() async throws {
        await expect(throwing: .denied) {
            try await CredentialChain.standard(environment: ["AWS_ACCESS_KEY_ID": "id"]).credentials(insteadOf: nil)
        }
        let nothing = ["HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"]
        await expect(throwing: .denied) {
            try await CredentialChain.standard(environment: nothing).credentials(insteadOf: nil)
        }
    }

    @Test(arguments: [("default", "id1", nil), ("other", "id2", "token2")])
    func theFileHasProfiles(profile: String, id: String, token: String?) async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending(path: "credentials")
            let text = """
                # a comment
                [default]
                aws_access_key_id = id1
                aws_secret_access_key=s1=with+equals/
                [ other ]
                  AWS_ACCESS_KEY_ID = id2
                aws_secret_access_key = s2
                aws_session_token = token2
                [broken]
                aws_access_key_id = id3
                """
            try Data(text.utf8).write(to: file)
            let path = file.path(percentEncoded: false)
            let environment = ["AWS_SHARED_CREDENTIALS_FILE": path, "AWS_PROFILE": profile]
            let found = try await CredentialChain.standard(environment: environment).credentials(insteadOf: nil)
            #expect(found?.accessKeyID == id && found?.sessionToken == token)
            for missing in ["broken", "absent"] {
                let environment = ["AWS_SHARED_CREDENTIALS_FILE": path, "AWS_PROFILE": missing]
                await expect(throwing: .denied) {
                    try await CredentialChain.standard(environment: environment).credentials(insteadOf: nil)
                }
            }
        }
    }

    @Test func secretsAreNeverDescribed() throws {
        let credentials = S3Credentials(accessKeyID: "id", secretAccessKey: "hidden", sessionToken: "hidden")
        let key = try S3SigningKey(secretAccessKey: "hidden", day: "20130524", region: "r")
        var dumped = ""
        dump(credentials, to: &dumped)
        dump(key, to: &dumped)
        dump(FixedCredentials(credentials), to: &dumped)
        let described = "\(credentials) \(String(reflecting: credentials)) \(key) \(String(reflecting: key))"
        #expect(!(dumped + described).contains("hidden"))
    }
}
