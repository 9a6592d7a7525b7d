import Cryptography
import Foundation
import NIOCore
import S3Servers
import ScriptedS3
import SecureChannel
import TestSupport
import TransferCommon
import WireProtocol

/// A scripted store in the test process, which the test inspects directly.
struct ScriptedStorage: Storage {
    let s3: ScriptedS3

    private static let prefix = "site"

    var partBytes: Int { s3.rules.partBytesMin }

    var options: [String] {
        [
            "--store", "s3://\(ScriptedS3.bucket)/\(Self.prefix)", "--s3-endpoint", s3.endpoint, "--s3-provider",
            s3.rules.name, "--s3-addressing", "path",
        ]
    }

    var environment: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    func digest(of key: String) throws -> SHA256Digest? {
        try s3.object("\(Self.prefix)/\(key)").map { try SHA256Digest.of($0.readableBytesView) }
    }

    func withObjects<Success>(
        below prefix: String, _ body: ([String: URL]) throws -> Success
    ) async throws -> Success {
        try await withTemporaryDirectory("objects") { directory in
            var files: [String: URL] = [:]
            for key in s3.keys where key.hasPrefix("\(Self.prefix)/\(prefix)") && !records.contains(key) {
                guard let object = s3.object(key) else { continue }
                let file = directory.appending(path: "\(files.count)")
                try Data(object.readableBytesView).write(to: file)
                files[String(key.dropFirst(Self.prefix.count + 1))] = file
            }
            return try body(files)
        }
    }

    func put(_ file: URL, key: String) throws {
        s3.put("\(Self.prefix)/\(key)", Array(try Data(contentsOf: file)))
    }

    func unfinished() -> [String] {
        s3.uploads.map { "upload of \($0.key) with \($0.parts.count) parts" } + records.map { _ in "record" }
    }

    func purgeUploads() { s3.purgeUploads() }

    /// The keys of all session records in the store.
    var records: [String] { s3.keys.filter { $0.hasPrefix("\(Self.prefix)/.sluice/sessions/") } }
}

extension Site {
    /// Makes a site whose store is scripted in the test process.
    static func scripted(_ rules: S3Rules, _ body: (Site, ScriptedS3) async throws -> Void) async throws {
        try await ScriptedS3.withServer(rules) { s3 in
            try await with(ScriptedStorage(s3: s3)) { try await body($0, s3) }
        }
    }
}
