import Foundation
import RepositoryFiles
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests of `sluice-gateway receipt verify` with the specification's example file, compared with `openssl`.
    @Suite
    struct ReceiptCommandTests {
        private static let siteKey = "sha256:a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5"
        private static let file = RepositoryFiles.root.appending(path: "Protocol/vectors/receipt-file.txt")

        private func verify(_ arguments: [String], exits status: Int32) async throws -> Program {
            let program = try await run(
                try .built("sluice-gateway"), ["receipt", "verify"] + arguments, within: Site.deadline)
            #expect(program.exitStatus == .exited(status), "\(program.transcript)")
            return program
        }

        @Test func theVectorFileIsVerified() async throws {
            let path = Self.file.path(percentEncoded: false)
            let program = try await verify([path, "--key", Self.siteKey], exits: 0)
            let lines = program.lines(of: .standardOutput)
            #expect(lines.first == "verified: site-a/camera/2026-01-01.mp4")
            #expect(lines.last == "  signed by  " + Self.siteKey)
            #expect(program.lines(of: .standardError) == [])
            let told = try await verify([path], exits: 0)
            #expect(told.lines(of: .standardOutput) == lines)
            #expect(told.lines(of: .standardError).first?.contains("--key") == true)
        }

        @Test func failuresAreDistinguished() async throws {
            try await withTemporaryDirectory("receipt") { directory in
                let path = Self.file.path(percentEncoded: false)
                _ = try await verify([path, "--key", "sha256:" + String(repeating: "0", count: 64)], exits: 1)
                let changed = directory.appending(path: "changed").path(percentEncoded: false)
                let text = try String(contentsOf: Self.file, encoding: .utf8)
                // One bit of the size changes.
                let receipt = text.replacingOccurrences(of: "8sAAAAAAKAAAAAAA", with: "8sAAAAAAKAAAQAAA")
                try #require(receipt != text)
                try receipt.write(toFile: changed, atomically: true, encoding: .utf8)
                _ = try await verify([changed], exits: 1)
                _ = try await verify([directory.appending(path: "missing").path(percentEncoded: false)], exits: 66)
            }
        }

        /// The `openssl` commands are those of the specification (§9.5), unchanged.
        @Test func opensslVerifiesTheSameFile() async throws {
            let specification = RepositoryFiles.root.appending(path: "Protocol/specification.md")
            let lines = try String(contentsOf: specification, encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: false)
            let start = try #require(lines.firstIndex { $0.hasPrefix("With OpenSSL 3, for a file `r`") })
            let commands = lines[start...].drop { $0 != "```sh" }.dropFirst().prefix { $0 != "```" }
            try await withTemporaryDirectory("receipt") { directory in
                try FileManager.default.copyItem(at: Self.file, to: directory.appending(path: "r"))
                let script = ["set -e; cd '\(directory.path(percentEncoded: false))'"] + commands.map(String.init)
                let told = try await output(of: "sh", "-c", script.joined(separator: "\n"))
                #expect(told.first == "Signature Verified Successfully")
                #expect(told.last?.hasPrefix(Self.siteKey.dropFirst("sha256:".count)) == true)
            }
        }
    }
}
