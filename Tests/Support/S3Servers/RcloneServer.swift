import Foundation
import TestSupport

/// `rclone serve s3` in front of a folder: a server that checks signatures and `Content-MD5`, but no other digest and
/// no condition. It writes an upload in the order of its parts.
package enum RcloneServer {
    private static let bucket = "bucket"
    private static let accessKeyID = "sluice-tests"
    private static let secretAccessKey = "a-secret-of-these-tests"

    /// Runs a server with one bucket and always stops it.
    package static func withServer<Success>(_ body: (S3Server) async throws -> Success) async throws -> Success {
        let rclone = try Executable.tool("rclone")
        return try await withTemporaryDirectory("rclone") { directory in
            // rclone treats each folder in the served folder as a bucket.
            let folder = directory.appending(path: "served")
            try FileManager.default.createDirectory(
                at: folder.appending(path: bucket), withIntermediateDirectories: true)
            let port = try findFreePort()
            let arguments = [
                "serve", "s3", "--addr", "127.0.0.1:\(port)", "--auth-key", "\(accessKeyID),\(secretAccessKey)",
                folder.path(percentEncoded: false),
            ]
            let environment = Program.environment(adding: [
                "HOME": directory.path(percentEncoded: false), "RCLONE_CONFIG": "/dev/null",
            ])
            return try await withProgram(rclone, arguments, environment: environment) { program in
                try await waitUntilReachable(port: port, program: program)
                return try await body(
                    S3Server(
                        endpoint: "http://127.0.0.1:\(port)", accessKeyID: accessKeyID,
                        secretAccessKey: secretAccessKey, bucket: bucket, program: program))
            }
        }
    }
}
