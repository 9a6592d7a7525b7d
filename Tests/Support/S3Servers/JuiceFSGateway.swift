import Foundation
import TestSupport

/// JuiceFS's gateway: a MinIO server from 2021 in front of a file system that keeps its data in a database and a
/// folder. It checks signatures and digests as S3 does.
package struct JuiceFSGateway: Sendable {
    /// What the gateway stores with an object besides its bytes.
    package enum Memory: String, CaseIterable, Sendable {
        /// The gateway stores neither ETag nor metadata.
        case none
        /// The gateway stores ETag and metadata, because of the options `--keep-etag --object-meta`.
        case full
    }

    private let program: Executable
    private let directory: URL
    private let memory: Memory
    private let port: Int
    /// The secret of the gateway's only user.
    package var secretAccessKey: String

    private static let accessKeyID = "sluice-tests"
    private static let secretAccessKey = "a secret of these tests"
    private static let bucket = "volume"

    /// Runs a gateway on an empty volume and always stops it.
    package static func withServer<Success>(
        _ memory: Memory, _ body: (S3Server) async throws -> Success
    ) async throws -> Success {
        let juicefs = try Executable.tool("juicefs")
        return try await withTemporaryDirectory("juicefs") { directory in
            let path = directory.path(percentEncoded: false)
            let formatted = try await run(
                juicefs, ["format", "--storage", "file", "--bucket", "\(path)/data/", database(in: path), bucket],
                environment: Program.environment(adding: ["HOME": path]))
            guard formatted.exitStatus == .exited(0) else {
                throw S3ServerFailure(description: "juicefs format failed\n\(formatted.transcript)")
            }

            let gateway = JuiceFSGateway(
                program: juicefs, directory: directory, memory: memory, port: try findFreePort(),
                secretAccessKey: secretAccessKey)
            return try await gateway.withServer(body)
        }
    }

    /// Runs the gateway on its volume. Tests call this again after the gateway was stopped or killed.
    package func withServer<Success>(_ body: (S3Server) async throws -> Success) async throws -> Success {
        let path = directory.path(percentEncoded: false)
        var arguments = [
            "gateway", "--no-usage-report", "--no-bgjob", "--backup-meta", "0", "--cache-dir", "\(path)/cache",
            "--log", "\(path)/gateway.log", "--metrics", "127.0.0.1:0", "--attr-cache", "0", "--dir-entry-cache", "0",
        ]
        if memory == .full { arguments += ["--keep-etag", "--object-meta"] }
        arguments += [Self.database(in: path), "127.0.0.1:\(port)"]
        return try await withProgram(program, arguments, environment: environment, workingDirectory: directory) {
            running in
            // Until the gateway prints this line, it refuses requests that are correct.
            try await running.waitForLine { $0.contains("IAM initialization complete") }
            try await waitUntilReachable(port: port, program: running)
            return try await body(
                S3Server(
                    endpoint: "http://127.0.0.1:\(port)", accessKeyID: Self.accessKeyID,
                    secretAccessKey: secretAccessKey, bucket: Self.bucket, program: running, juiceFS: self))
        }
    }

    private var environment: [String: String] {
        Program.environment(adding: [
            "HOME": directory.path(percentEncoded: false), "MINIO_ROOT_USER": Self.accessKeyID,
            "MINIO_ROOT_PASSWORD": secretAccessKey,
        ])
    }

    private static func database(in path: String) -> String { "sqlite3://\(path)/metadata.db" }
}
