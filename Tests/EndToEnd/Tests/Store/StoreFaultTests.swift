import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of changes in the store that no gateway makes, and of gateways that cannot reach their store.
    @Suite
    struct StoreFaultTests {
        @Test(arguments: StorageKind.usual)
        func externallyAbortedUploadBeginsAnew(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                // The file has more parts than the agent sends at once, so that some parts are not stored yet. If all
                // were stored, the gateway would have to assume that another gateway is completing the upload.
                let file = try site.makeFile("file", bytes: 12 * site.partBytes)
                // On a busy machine the client that aborts the upload needs seconds, so the push is slow.
                let run = try await agent.start(site.slowPush(file, partsPerSecond: 1)) { program in
                    try await program.waitForStoredParts(2)
                    try await site.storage.purgeUploads()
                    #expect(
                        try await program.waitForExit(within: Site.deadline) == .exited(0), "\(program.transcript)")
                    return AgentRun(program)
                }
                #expect(run.notes.contains { $0.contains("sending it anew") })
                try await site.expectObject("file", equals: file)
                try await site.expectNothingUnfinished()
            }
        }

        /// The object exists, and the store has forgotten the upload. The session id in the object's metadata proves
        /// that the object is this file. If the store keeps no metadata, the gateway reads the object back.
        @Test(arguments: StorageKind.s3)
        func completesAfterLostCompleteAnswer(kind: StorageKind) async throws {
            try await harm(.losesAnswer, kind, bytes: { $0.largeFileBytes }) {
                // This pattern matches the request of the upload, and not the one that the gateway's probe makes at its
                // start.
                $0.hasPrefix("POST ") && $0.contains("/file?uploadId=")
            }
        }

        @Test(arguments: StorageKind.s3)
        func completesAfterLostPartAnswer(kind: StorageKind) async throws {
            try await harm(.losesAnswer, kind, bytes: { $0.largeFileBytes }) { $0.contains("partNumber=3&") }
        }

        @Test(arguments: StorageKind.s3)
        func completesAfterLostPutAnswer(kind: StorageKind) async throws {
            try await harm(.losesAnswer, kind, bytes: { _ in 12_345 }) { $0.hasPrefix("PUT ") && $0.contains("/file ") }
        }

        private func harm(
            _ harm: MeddlingProxy.Harm, _ kind: StorageKind, bytes: (Site) -> Int,
            harms: @escaping @Sendable (Substring) -> Bool
        ) async throws {
            try await Site.with(kind) { site in
                let storage = try #require(site.storage as? S3Storage)
                let port = try #require(Int(storage.server.endpoint.split(separator: ":").last ?? ""))
                try await MeddlingProxy.withProxy(upstreamPort: port, harm, harms: harms) { proxy in
                    try await site.withGateway(["--s3-endpoint", proxy.endpoint]) { gateway in
                        let agent = try await site.makeAgent(port: gateway.port)
                        let file = try site.makeFile("file", bytes: bytes(site))
                        _ = try await agent.run(site.push(file))
                        #expect(proxy.harmCount == 1)
                        try await site.expectObject("file", equals: file)
                        try await site.expectNothingUnfinished()
                    }
                }
            }
        }

        /// JuiceFS refuses the part because of its digest. With moto the gateway finds the change by the ETag.
        @Test(arguments: StorageKind.s3)
        func byteChangedBeforeStoreIsDetected(kind: StorageKind) async throws {
            try await harm(.flipsByte, kind, bytes: { _ in 12_345 }) { $0.hasPrefix("PUT ") && $0.contains("/file ") }
            try await harm(.flipsByte, kind, bytes: { $0.largeFileBytes }) {
                $0.hasPrefix("PUT ") && $0.contains("partNumber=3&") && $0.contains("/file?")
            }
        }

        @Test func foreignUploadsAreNeitherListedNorCleaned() async throws {
            try await Site.with(.juiceFS) { site in
                try await site.withGateway { gateway in
                    let storage = try #require(site.storage as? S3Storage)
                    try await storage.beginForeignUpload(key: "site/file")
                    try await storage.beginForeignUpload(key: "elsewhere/file")
                    let agent = try await site.makeAgent(port: gateway.port)
                    _ = try await site.pushAndKill(agent, site.makeLargeFile())
                    #expect(try await site.administer(["uploads", "list"]).last?.hasPrefix("1 unfinished, ") == true)
                    let cleaned = try await site.administer(["uploads", "clean", "--older-than", "0s", "--force"])
                    #expect(
                        cleaned.last?.hasPrefix("1 removed (") == true
                            && cleaned.last?.hasSuffix(" B), 0 kept.") == true)
                    let left = try await storage.unfinished()
                    #expect(left.sorted() == ["upload of elsewhere/file", "upload of site/file"])
                }
            }
        }

        @Test(arguments: StorageKind.allCases)
        func verifyReadsAnObjectBack(kind: StorageKind) async throws {
            try await Site.serving(kind) { site, agent in
                let file = try site.makeLargeFile()
                _ = try await agent.run(site.push(file))
                let isProvable = kind != .juiceFS
                let verified = try await site.administer(["verify", "file"], exits: isProvable ? 0 : 69)
                let digest = "SHA-256 \(try fileDigest(file))"
                #expect(verified.contains { $0.hasSuffix(digest) }, "\(verified)")
                #expect(verified.contains { $0.hasPrefix(isProvable ? "whole: " : "cannot say: ") }, "\(verified)")
                // The digest of the file settles it with every store.
                let named = "\(try fileDigest(file))"
                let compared = try await site.administer(["verify", "file", "--sha256", named])
                #expect(compared.contains { $0.hasPrefix("whole: ") }, "\(compared)")
                let other = String(repeating: "0", count: 64)
                try await site.administer(["verify", "file", "--sha256", other], exits: 1)
                try await site.administer(["verify", "nothing"], exits: 66)
            }
        }

        @Test func gatewayWithoutStoreRightsDoesNotStart() async throws {
            try await Site.with(.juiceFS) { site in
                let storage = try #require(site.storage as? S3Storage)
                let cases: [(options: [String], environment: [String: String], word: String)] = [
                    (["--store", "s3://elsewhere/x"], [:], "bucket"),
                    ([], ["AWS_SECRET_ACCESS_KEY": "wrong"], "credentials"),
                ]
                for (options, environment, word) in cases {
                    let program = try await run(
                        try .built("sluice-gateway"),
                        ["serve", "--home", site.path("gateway"), "--listen", "127.0.0.1:0"] + storage.options
                            + options,
                        environment: Program.environment(adding: storage.environment.merging(environment) { $1 }))
                    #expect(program.exitStatus == .exited(69), "\(program.transcript)")
                    let told = program.lines(of: .standardError)
                    #expect(told.last?.contains(word) == true, "\(told)")
                }
            }
        }
    }
}
