import Cryptography
import Foundation
import RepositoryFiles
import S3Servers
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests of receipts, PROVE and REPORT. A test client sends the frames to the gateway's program over TLS.
    @Suite
    struct ProofTests {
        private static let session = SessionID(high: 0x5AFE, low: 1)
        private static let content = (0..<1_000).map { UInt8(truncatingIfNeeded: $0) }
        /// Stores that keep no evidence which a gateway can use, so the gateway has to read their objects.
        private static let readingKinds: [StorageKind] = [.juiceFS, .moto]

        private func enter(
            _ site: Site, port: Int
        ) async throws -> (client: HostileClient, welcome: Welcome, pin: Fingerprint) {
            let agent = try await site.makeAgent("cam", port: port, prefix: "cam/")
            let identity = try Identity.load(from: agent.home)
            let pin = try #require(Fingerprint(try site.pin))
            let tls = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([pin]))
            let client = try await HostileClient.secure(to: port, tls)
            try await client.greet(as: identity.fingerprint, run: 1)
            let welcome = try await client.answer("WELCOME") { frame in
                if case .welcome(let welcome) = frame { welcome } else { nil }
            }
            return (client, welcome, pin)
        }

        private func store(by client: HostileClient, key: String) async throws -> Completed {
            let terms = SessionTerms(
                key: key, size: UInt64(Self.content.count), partBytes: HostileClient.partBytes,
                modification: ModificationTime(seconds: 1, nanoseconds: 0), condition: .absent)
            try client.say(
                .sessionOpen(SessionOpen(session: Self.session, terms: terms, compares: false, asksForReceipt: true)))
            let digest = try SHA256Digest.of(Self.content)
            try await client.offer(size: UInt64(Self.content.count), digest: digest)
            client.say(HostileClient.data(Self.content, offset: 0))
            try client.say(
                .complete(Complete(root: Self.root, partCount: 1, size: UInt64(Self.content.count), isFirst: true)))
            return try await client.answer("COMPLETED") { frame in
                if case .completed(let completed) = frame { completed } else { nil }
            }
        }

        private static var root: SHA256Digest {
            get throws { try RootDigest.of([SHA256Digest.of(content)]) }
        }

        private func statement(_ welcome: Welcome, _ completed: Completed) throws -> [UInt8] {
            let receipt = try #require(completed.receipt)
            return try ReceiptStatement(
                storeIdentity: welcome.storeIdentity, siteKey: SHA256Digest.of(welcome.receiptKey),
                device: welcome.deviceName, key: welcome.prefix + completed.location, session: Self.session,
                size: completed.size, partBytes: completed.partBytes, evidence: completed.evidence,
                etag: completed.etag, version: completed.version, timeMilliseconds: receipt.timeMilliseconds
            ).encoded()
        }

        /// The `openssl` commands are those of the specification (§9.5).
        @Test(arguments: [StorageKind.directory, .juiceFS, .moto])
        func opensslVerifiesTheReceiptOfAFile(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    let (client, welcome, pin) = try await enter(site, port: gateway.port)
                    #expect(try SHA256Digest.of(welcome.receiptKey) == pin.digest)
                    let completed = try await store(by: client, key: "a/file")
                    #expect(completed.location == "a/file" && welcome.prefix == "cam/")
                    let receipt = StoredReceipt(
                        statement: try statement(welcome, completed),
                        signature: try #require(completed.receipt).bytes, publicKey: welcome.receiptKey)
                    try ReceiptFile.text(of: [receipt])
                        .write(toFile: site.path("r"), atomically: true, encoding: .utf8)
                    let lines = try await openssl(in: site.directory)
                    #expect(lines.first == "Signature Verified Successfully")
                    #expect(lines.last?.hasPrefix("\(pin.digest) ") == true)
                    let told = try await site.gateway(["receipt", "verify", site.path("r"), "--key", "\(pin)"])
                    #expect(told.first == "verified: cam/a/file")
                    await client.close()
                }
            }
        }

        private func openssl(in directory: URL) async throws -> [String] {
            let specification = RepositoryFiles.root.appending(path: "Protocol/specification.md")
            let lines = try String(contentsOf: specification, encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: false)
            let start = try #require(lines.firstIndex { $0.hasPrefix("With OpenSSL 3, for a file `r`") })
            let commands = lines[start...].drop { $0 != "```sh" }.dropFirst().prefix { $0 != "```" }
            let script = ["set -e; cd '\(directory.path(percentEncoded: false))'"] + commands.map(String.init)
            return try await output(of: "sh", "-c", script.joined(separator: "\n"))
        }

        // MARK: PROVE

        private func prove(
            _ client: HostileClient, key: String = "a/file", size: Int = content.count, root: SHA256Digest? = nil,
            partBytes: UInt64 = HostileClient.partBytes, readsBack: Bool = false, slot: UInt16
        ) async throws -> Proven? {
            let before = client.heard.current.frameCount
            let question = Prove(
                size: UInt64(size), partBytes: partBytes, root: try root ?? Self.root, key: key, readsBack: readsBack)
            try client.say(.prove(question), slot: Slot(slot))
            return try await client.wait("the answer to PROVE") { heard -> Proven?? in
                guard heard.frameCount > before else { return heard.isOver ? .some(nil) : nil }
                guard case .proven(let proven) = heard.frames.last else { return .some(nil) }
                return .some(proven)
            }
        }

        @Test(arguments: [StorageKind.directory, .juiceFS, .moto])
        func everyOutcomeIsReported(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    let (client, welcome, _) = try await enter(site, port: gateway.port)
                    _ = try await store(by: client, key: "a/file")
                    let mustRead = Self.readingKinds.contains(kind)

                    if mustRead {
                        // The metadata and the ETag that this store keeps do not prove an object's content.
                        guard case .unknown(let told) = try await prove(client, slot: 1) else {
                            Issue.record("nothing tells the content without reading")
                            return
                        }
                        #expect(told.evidence == .none && told.size == 1_000)
                    }
                    guard case .proven(let told, let receipt?) = try await prove(client, readsBack: mustRead, slot: 2)
                    else {
                        Issue.record("the object holds the file")
                        return
                    }
                    let statement = ReceiptStatement(
                        storeIdentity: welcome.storeIdentity, siteKey: try SHA256Digest.of(welcome.receiptKey),
                        device: "cam", key: "cam/a/file", session: told.session ?? SessionID(high: 0, low: 0),
                        size: told.size, partBytes: told.partBytes, evidence: told.evidence, etag: told.etag,
                        version: told.version, timeMilliseconds: receipt.timeMilliseconds)
                    let key = try PublicKey(subjectPublicKeyInfo: welcome.receiptKey)
                    #expect(try key.isSignature(receipt.bytes, of: statement.encoded()))

                    let other = try SHA256Digest.of([1, 2, 3])
                    guard case .different = try await prove(client, root: other, readsBack: mustRead, slot: 3) else {
                        Issue.record("another root digest")
                        return
                    }
                    guard case .different(let larger) = try await prove(client, size: 999, slot: 4) else {
                        Issue.record("another size")
                        return
                    }
                    #expect(larger.size == 1_000)
                    #expect(try await prove(client, key: "a/none", readsBack: true, slot: 5) == .absent)
                    #expect(try await prove(client, key: "../none", slot: 6) == nil)
                    #expect(try await client.refusal() == .keyInvalid)
                    await client.close()
                }
            }
        }

        @Test func otherPartSizeIsProvenByReading() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let (client, _, _) = try await enter(site, port: gateway.port)
                    _ = try await store(by: client, key: "a/file")
                    let parts = try stride(from: 0, to: 1_000, by: 300).map {
                        try SHA256Digest.of(Self.content[$0..<min($0 + 300, 1_000)])
                    }
                    let root = try RootDigest.of(parts)
                    guard case .unknown = try await prove(client, root: root, partBytes: 300, slot: 1) else {
                        Issue.record("the digest of the whole does not tell it")
                        return
                    }
                    let read = try await prove(client, root: root, partBytes: 300, readsBack: true, slot: 2)
                    guard case .proven(let told, receipt: .some) = read else {
                        Issue.record("\(String(describing: read))")
                        return
                    }
                    #expect(told.evidence == .root(root) && told.partBytes == 300)
                    await client.close()
                }
            }
        }

        // MARK: REPORT

        @Test func deviceListShowsWhatADeviceReported() async throws {
            try await Site.with { site in
                try await site.withGateway { gateway in
                    let (client, _, _) = try await enter(site, port: gateway.port)
                    let report = StatusReport(
                        status: .needsPerson, pendingItems: 7, pendingBytes: 70, oldestSeconds: 90,
                        quarantinedItems: 2, freeBytes: nil, reason: "two \u{1B}[5mfiles")
                    try client.say(.report(report))
                    // The gateway reads frames in order. So when it answers PING, it has read the report.
                    try client.say(.ping(Ping(nonce: 5)))
                    try await client.answer("PONG") { if case .pong = $0 { () } else { nil } }
                    await client.close()
                    try await withDeadline(Site.deadline, "the report in the home") {
                        while !FileManager.default.fileExists(atPath: site.path("gateway/reports.json")) {
                            // No event reports that the gateway has written the file. It does so within seconds, so
                            // poll.
                            try await Task.sleep(for: .milliseconds(100))
                        }
                    }
                }
                let lines = try await site.gateway(["device", "list", "--home", site.path("gateway")])
                let line = try #require(lines.first { $0.contains("cam reported") })
                #expect(line.contains("needs a person, 7 files pending (70 B), the oldest for 90s, 2 quarantined"))
                #expect(line.hasSuffix("free disk not known; two \\u{1b}[5mfiles"))
            }
        }
    }
}
