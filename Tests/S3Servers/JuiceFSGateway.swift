import Foundation
import TestSupport

/// JuiceFS's gateway, a MinIO of 2021 before a file system in a database and a folder. It checks signatures and
/// digests as S3 does.
package enum JuiceFSGateway {
    /// What it keeps of an object beside the bytes.
    package enum Memory: String, CaseIterable, Sendable {
        /// Neither ETag nor metadata.
        case none
        /// Both: `--keep-etag --object-meta`.
        case full
    }

    private static let accessKeyID = "sluice-tests"
    private static let secretAccessKey = "a secret of these tests"
    private static let bucket = "volume"

    /// Runs a gateway on an empty volume, and stops it for sure.
    package static func withServer<Success>(
        _ memory: Memory, _ body: (S3Server) async throws -> Success
    ) async throws -> Success {
        let juicefs = try Executable.tool("juicefs")
        return try await withTemporaryDirectory("juicefs") { directory in
            let path = directory.path(percentEncoded: false)
            let database = "sqlite3://\(path)/metadata.db"
            let environment = Program.environment(adding: [
                "HOME": path, "MINIO_ROOT_USER": accessKeyID, "MINIO_ROOT_PASSWORD": secretAccessKey,
            ])
            let formatted = try await run(
                juicefs, ["format", "--storage", "file", "--bucket", "\(path)/data/", database, bucket],
                environment: environment)
            guard formatted.exitStatus == .exited(0) else {
                throw S3ServerFailure(description: "juicefs format failed\n\(formatted.transcript)")
            }

            let port = try findFreePort()
            var arguments = [
                "gateway", "--no-usage-report", "--no-bgjob", "--backup-meta", "0", "--cache-dir", "\(path)/cache",
                "--log", "\(path)/gateway.log", "--metrics", "127.0.0.1:0", "--attr-cache", "0",
                "--dir-entry-cache", "0",
            ]
            if memory == .full { arguments += ["--keep-etag", "--object-meta"] }
            arguments += [database, "127.0.0.1:\(port)"]
            return try await withProgram(juicefs, arguments, environment: environment, workingDirectory: directory) {
                program in
                // Until then it refuses what it will accept later.
                try await program.waitForLine { $0.contains("IAM initialization complete") }
                try await waitUntilReachable(port: port, program: program)
                return try await body(
                    S3Server(
                        endpoint: "http://127.0.0.1:\(port)", accessKeyID: accessKeyID,
                        secretAccessKey: secretAccessKey,
                        bucket: bucket, program: program))
            }
        }
    }
}
