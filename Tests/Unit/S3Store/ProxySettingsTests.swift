import Foundation
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import TestSupport
import Testing
import TransferCommon

@Suite(.timeLimit(.minutes(5))) struct ProxySettingsTests {
    private func settings(_ variables: [String: String]) throws -> ProxySettings {
        try ProxySettings(environment: AWSEnvironment(variables))
    }

    @Test func schemeChoosesTheProxy() throws {
        let settings = try settings(["HTTPS_PROXY": "http://secure.test:3128", "http_proxy": "plain.test"])
        #expect(settings.proxy(host: "s3.test", port: 443, isSecure: true)?.description == "secure.test:3128")
        #expect(settings.proxy(host: "s3.test", port: 80, isSecure: false)?.description == "plain.test:80")
        #expect(ProxySettings.none.proxy(host: "s3.test", port: 443, isSecure: true) == nil)
    }

    @Test func lowerCaseComesFirst() throws {
        let settings = try settings([
            "HTTPS_PROXY": "http://upper.test:1", "https_proxy": "http://lower.test:2", "NO_PROXY": "*",
            "no_proxy": "other.test", "HTTP_PROXY": "",
        ])
        #expect(settings.proxy(host: "s3.test", port: 443, isSecure: true)?.description == "lower.test:2")
        #expect(settings.proxy(host: "s3.test", port: 80, isSecure: false) == nil)
    }

    @Test(arguments: [
        "socks5://proxy.test:1080", "https://proxy.test", "http://", "http://proxy.test/path", "http://proxy.test?x",
        "http://hidden:hidden@", "http://pro xy",
    ])
    func invalidProxiesAreRefusedUnshown(text: String) {
        let error = #expect(throws: S3ConfigurationError.self) { try settings(["HTTPS_PROXY": text]) }
        #expect(error?.description.contains("HTTPS_PROXY") == true)
        #expect(error?.description.contains("hidden") == false)
    }

    @Test func credentialsAreDecodedAndHidden() throws {
        let settings = try settings(["HTTPS_PROXY": "http://a%20user:hid%40den@[fd00::1]:8080/"])
        let proxy = try #require(settings.proxy(host: "s3.test", port: 443, isSecure: true))
        #expect(proxy.user == "a user" && proxy.password == "hid@den")
        #expect(proxy.host == "fd00::1" && proxy.port == 8080)
        var shown = "\(proxy) \(String(reflecting: proxy)) \(settings)"
        dump(settings, to: &shown)
        #expect(!shown.contains("hid") && !shown.contains("a user"))
    }

    /// Each case is a value of NO_PROXY, a host, its port, and whether a proxy is used.
    @Test(arguments: [
        ("", "s3.test", 443, true), ("*", "s3.test", 443, false), ("s3.test", "s3.test", 443, false),
        ("S3.Test", "s3.test", 443, false), ("s3.test", "bucket.s3.test", 443, false),
        (".s3.test", "bucket.s3.test", 443, false), ("*.s3.test", "bucket.s3.test", 443, false),
        ("s3.test", "news3.test", 443, true), ("a.test, s3.test", "s3.test", 443, false),
        ("s3.test:443", "s3.test", 443, false), ("s3.test:8443", "s3.test", 443, true),
        ("10.0.0.1", "10.0.0.1", 443, false), ("10.0.0.0/8", "10.200.3.4", 443, false),
        ("10.0.0.0/8", "11.0.0.1", 443, true), ("0.0.0.0/0", "11.0.0.1", 443, false),
        ("10.0.0.0/8", "10.test", 443, true), ("10.0.0.0/33,x/8,/8,:1", "10.0.0.1", 443, true),
        ("fd00::1", "[fd00::1]", 443, false), ("[fd00::1]:443", "[fd00::1]", 443, false),
        ("[fd00::1]:444", "[fd00::1]", 443, true), ("", "localhost", 443, false), ("", "127.8.0.1", 443, false),
        ("", "[::1]", 443, false), ("", "127.example.com", 443, true),
    ])
    func exceptionsAndThisMachineUseNoProxy(exceptions: String, host: String, port: Int, isUsed: Bool) throws {
        let settings = try settings(["HTTPS_PROXY": "http://proxy.test:1", "NO_PROXY": exceptions])
        #expect((settings.proxy(host: host, port: port, isSecure: true) != nil) == isUsed)
    }

    // MARK: - Through a proxy

    private static let page = ScriptedAnswer.answer(
        status: 200, body: "<ListPartsResult><UploadId>u</UploadId></ListPartsResult>")

    /// Runs `body` with a store whose host name only the proxy knows.
    private func withStore(
        _ server: ScriptedServer, _ proxy: ForwardProxy, user: String = "", addressing: S3Addressing = .path,
        _ body: (S3Store) async throws -> Void
    ) async throws {
        var configuration = try S3Configuration(
            bucket: "bucket", endpoint: "http://store.test:9000/base", addressing: addressing)
        configuration.retries.attemptsMax = 1
        configuration.proxies = try settings(["HTTP_PROXY": "http://\(user)\(proxy.authority)"])
        let store = S3Store(configuration: configuration, credentials: anyCredentials, logger: quietLogger)
        try await shuttingDown(store, body)
    }

    private func port(_ server: ScriptedServer) throws -> Int {
        try #require(server.endpoint.split(separator: ":").last.flatMap { Int($0) })
    }

    @Test(arguments: S3Addressing.allCases)
    func requestsToTheStoreUseTheProxy(addressing: S3Addressing) async throws {
        try await ScriptedServer.withServer({ _ in Self.page }) { server in
            try await ForwardProxy.withProxy(
                upstreamPort: try port(server), authorization: "Basic dXNlcjpwYXNz"
            ) { proxy in
                try await withStore(server, proxy, user: "user:pass@", addressing: addressing) { store in
                    _ = try await store.listParts(key: "k", upload: "u", after: nil)
                }
                let isPath = addressing == .path
                #expect(proxy.hosts == [isPath ? "store.test:9000" : "bucket.store.test:9000"])
                let request = try #require(server.requests.first)
                #expect(request.target == "/base/\(isPath ? "bucket/" : "")k?max-parts=1000&uploadId=u")
                #expect(request.headers["host"] == proxy.hosts.first)
                #expect(request.headers["proxy-authorization"] == nil, "the password is for the proxy alone")
            }
        }
    }

    @Test func refusingProxyIsNamed() async throws {
        try await ScriptedServer.withServer({ _ in Self.page }) { server in
            try await ForwardProxy.withProxy(upstreamPort: try port(server), authorization: "Basic x") { proxy in
                try await withStore(server, proxy) { store in
                    let failure = await #expect(throws: StoreError.self) {
                        try await store.createUpload(key: "k", metadata: sampleMetadata())
                    }
                    #expect(failure?.reason == .unavailable, "nothing was sent to the store")
                    let expected = "CreateMultipartUpload: the proxy makes no connection to store.test:9000: "
                    #expect(failure?.detail?.hasPrefix(expected) == true, "\(failure?.detail ?? "")")
                }
                #expect(proxy.hosts.isEmpty && server.requests.isEmpty)
            }
        }
    }

    /// The request for the credentials of a web identity uses the proxy, too. The server behind the proxy does not
    /// speak TLS, so the request fails after the proxy has received it.
    @Test func tokenServiceUsesTheProxy() async throws {
        try await ScriptedServer.withServer({ _ in Self.page }) { server in
            try await ForwardProxy.withProxy(upstreamPort: try port(server)) { proxy in
                try await withTemporaryDirectory("identity") { directory in
                    let file = directory.appending(path: "token")
                    try Data("token".utf8).write(to: file)
                    let environment = AWSEnvironment([
                        "AWS_WEB_IDENTITY_TOKEN_FILE": file.path(percentEncoded: false), "AWS_ROLE_ARN": "arn",
                        "AWS_ENDPOINT_URL_STS": "https://sts.test", "HTTPS_PROXY": "http://\(proxy.authority)",
                    ])
                    let source = WebIdentityCredentials(environment: environment)
                    await expect(throwing: .unavailable) { try await source.credentials(insteadOf: nil) }
                    #expect(proxy.hosts == ["sts.test:443"])
                }
            }
        }
    }
}
