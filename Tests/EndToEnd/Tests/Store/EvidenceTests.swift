import Cryptography
import Foundation
import S3Servers
import TestSupport
import Testing
import TransferCommon
import WireProtocol

extension EndToEndTests {
    /// Tests of pushing files that are already stored. They cover each kind of evidence that stores keep of an object's
    /// content.
    @Suite
    struct EvidenceTests {
        /// Stores keep root digests, or ETags from MD5s, or no evidence. Without evidence the gateway reads the object
        /// back.
        @Test(arguments: StorageKind.allCases)
        func sendsNothingOfAStoredFile(kind: StorageKind) async throws {
            try await Site.with(kind) { site in
                try await site.withGateway { gateway in
                    let first = try await site.makeAgent("first", port: gateway.port)
                    let file = try site.makeFile("file", bytes: 3 * site.partBytes + 17)
                    let small = try site.makeFile("small", bytes: 1_000)
                    let paths = [file, small].map { $0.path(percentEncoded: false) }
                    _ = try await first.run(["push"] + paths + ["--part-size", site.partSize])
                    // Push again with the same agent, and then with an agent that has an empty journal and uses another
                    // part size.
                    let again = try await first.run(["push", "--checksum"] + paths)
                    #expect(try again.summary.bytesSent == 0)
                    #expect(again.outcomes == ["there", "there"])
                    let second = try await site.makeAgent("second", port: gateway.port)
                    let other = try await second.run(["push", paths[0], "--part-size", "6MiB"])
                    #expect(try other.summary.bytesSent == 0)
                    #expect(other.outcomes == ["there"])
                    // The agent sends a small file's data ahead, before the gateway can answer that the object exists.
                    // So only the outcome is compared.
                    #expect(try await second.run(["push", paths[1]]).outcomes == ["there"])
                }
            }
        }

        /// No S3 server that the tests can install keeps a composite SHA-256, so the store is scripted.
        @Test func sendsNothingIfCompositeSHA256Matches() async throws {
            try await Site.with(.motoAsAWS) { site in
                let file = try site.makeFile("file", bytes: 3 * site.partBytes + 17)
                let other = try site.makeFile("other/file", bytes: 3 * site.partBytes + 17, seed: 2)
                let store = try ChecksumStore(key: "site/file", file: file, partBytes: site.partBytes)
                let script: ScriptedServer.Script = { store.answer($0) }
                try await ScriptedServer.withServer(script) { server in
                    try await site.withGateway(["--s3-endpoint", server.endpoint]) { gateway in
                        let agent = try await site.makeAgent(port: gateway.port)
                        let run = try await agent.run(site.push(file) + ["--part-size", "7MiB"])
                        #expect(try run.summary.bytesSent == 0)
                        #expect(run.outcomes == ["there"])
                        let refused = try await agent.run(site.push(other), exits: 1)
                        #expect(refused.outcomes == ["keyTaken"])
                        #expect(!server.requests.contains { $0.method == "PUT" && $0.target.contains("/site/file") })
                    }
                }
            }
        }

        /// A reader can compare a checksum in S3's format with the object.
        @Test func theReceiptHasTheChecksumAsS3WritesIt() async throws {
            try await Site.serving { site, agent in
                let sizes = [3 * site.partBytes + 17, 2 * site.partBytes, site.partBytes, 1_000, 0]
                for (number, size) in sizes.enumerated() {
                    let file = try site.makeFile("file-\(number)", bytes: size)
                    let content = try Data(contentsOf: file)
                    let parts = stride(from: 0, to: size, by: site.partBytes).map {
                        content[$0..<min($0 + site.partBytes, size)]
                    }
                    let digests = try parts.flatMap { try SHA256Digest.of(Array($0)).bytes }
                    let whole = Data(try SHA256Digest.of(Array(content)).bytes).base64EncodedString()
                    let composite = Data(try SHA256Digest.of(digests).bytes).base64EncodedString()
                    let expected = parts.count > 1 ? "\(composite)-\(parts.count)" : whole
                    for outcome in ["stored", "there"] {
                        let run = try await agent.run(site.push(file) + ["--checksum"])
                        #expect(run.outcomes == [outcome])
                        let told = run.events.compactMap(\.checksumSha256)
                        #expect(told == [expected], "\(size) bytes, \(outcome)")
                        let receipt = try #require(run.events.first { $0.event == "finished" })
                        #expect(receipt.etag?.isEmpty == false && receipt.size == UInt64(size))
                        // The digest of a file of one part is that of the whole file, so the receipt need not name the
                        // part size.
                        guard parts.count > 1 else { continue }
                        #expect(receipt.partSize == UInt64(site.partBytes))
                        #expect(try receipt.root == "\(SHA256Digest.of(digests))")
                    }
                }
            }
        }

        @Test(arguments: StorageKind.allCases)
        func sameSizeIsNotSameFile(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                for (name, bytes) in [("large", 3 * site.partBytes + 17), ("small", 1_000)] {
                    let file = try site.makeFile(name, bytes: bytes, seed: 1)
                    let other = try site.makeFile("other/\(name)", bytes: bytes, seed: 2)
                    _ = try await agent.run(site.push(file))
                    let refused = try await agent.run(site.push(other), exits: 1)
                    #expect(refused.outcomes == ["keyTaken"])
                    try await site.expectObject(name, equals: file)
                    _ = try await agent.run(site.push(other) + ["--if-exists", "replace"])
                    try await site.expectObject(name, equals: other)
                }
                try await site.expectNothingUnfinished()
            }
        }
    }
}
