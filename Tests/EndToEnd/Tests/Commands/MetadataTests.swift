import Foundation
import S3Servers
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of content type and user metadata. A program that reads the objects from the store without Sluice must
    /// find both.
    @Suite
    struct MetadataTests {
        private static let options = [
            "--content-type", "video/mp4", "--metadata", "line=3", "--metadata", "camera=north gate",
        ]

        private struct Head: Decodable {
            let contentType: String?
            let metadata: [String: String]

            private enum CodingKeys: String, CodingKey {
                case contentType = "ContentType"
                case metadata = "Metadata"
            }
        }

        /// Uses the AWS command line, to read the metadata without Sluice.
        private func head(_ key: String, of site: Site) async throws -> Head {
            let options = site.storage.options
            let endpoint = try #require(options.firstIndex(of: "--s3-endpoint").map { options[$0 + 1] })
            let store = try #require(options.firstIndex(of: "--store").map { options[$0 + 1] })
            let url = try #require(URL(string: store))
            let asked = try await run(
                .tool("aws"),
                [
                    "--endpoint-url", endpoint, "s3api", "head-object", "--bucket", try #require(url.host()), "--key",
                    String(url.path(percentEncoded: false).dropFirst()) + "/" + key,
                ], environment: Program.environment(adding: site.storage.environment), within: Site.deadline)
            try #require(asked.exitStatus == .exited(0), "\(asked.transcript)")
            let text = asked.lines(of: .standardOutput).joined(separator: "\n")
            return try JSONDecoder().decode(Head.self, from: Data(text.utf8))
        }

        @Test func storeKeepsChosenMetadata() async throws {
            try await Site.serving(.moto) { site, agent in
                let large = try site.makeFile("large", bytes: 2 * site.partBytes + 17)
                let small = try site.makeFile("small", bytes: 1_000)
                for file in [large, small] {
                    _ = try await agent.run(site.push(file) + Self.options)
                    let head = try await head(file.lastPathComponent, of: site)
                    #expect(head.contentType == "video/mp4")
                    #expect(head.metadata["line"] == "3" && head.metadata["camera"] == "north gate")
                    #expect(head.metadata["sluice-session"]?.count == 32)
                }
            }
        }

        /// Metadata belong to the session terms, so the command line need not repeat them.
        @Test func resumedUploadKeepsMetadata() async throws {
            try await Site.serving(.moto) { site, agent in
                let file = try site.makeLargeFile()
                try await agent.start(site.slowPush(file) + Self.options) { program in
                    try await program.waitForStoredParts(2)
                    program.kill(SIGKILL)
                    _ = try await program.waitForExit(within: Site.deadline)
                }
                _ = try await agent.run(["resume"])
                #expect(try await head(file.lastPathComponent, of: site).metadata["camera"] == "north gate")
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: [["--metadata", "Line=3"], ["--metadata", "line"], ["--content-type", "video"]])
        func invalidMetadataIsRefusedBeforeSending(options: [String]) async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("file", bytes: 1_000)
                let run = try await agent.run(site.push(file) + options, exits: 64)
                #expect(run.events.isEmpty)
                try await site.expectNothingUnfinished()
            }
        }
    }
}
