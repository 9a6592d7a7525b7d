import TestSupport

/// moto, which imitates AWS in memory. It checks neither signatures nor digests, but supports conditions and
/// checksums.
package enum MotoServer {
    private static let bucket = "bucket"

    /// What the bucket does with replaced and deleted objects.
    package enum Retention: String, CaseIterable, Sendable {
        /// The bucket keeps every version of an object.
        case versions
        /// The bucket also refuses to delete a version for a day (Object Lock with a default retention), and refuses an
        /// object whose request has no checksum.
        case lock
    }

    /// Runs a server with one bucket that keeps versions.
    package static func withServer<Success>(
        _ retention: Retention, _ body: (S3Server) async throws -> Success
    ) async throws -> Success {
        try await withServer { server in
            let name = retention.rawValue
            let create = ["create-bucket", "--bucket", name]
            switch retention {
            case .versions:
                try await configure(server, create)
                try await configure(
                    server,
                    ["put-bucket-versioning", "--bucket", name, "--versioning-configuration", "Status=Enabled"])
            case .lock:
                let rule = #"{"DefaultRetention":{"Mode":"GOVERNANCE","Days":1}}"#
                try await configure(server, create + ["--object-lock-enabled-for-bucket"])
                try await configure(
                    server,
                    [
                        "put-object-lock-configuration", "--bucket", name, "--object-lock-configuration",
                        #"{"ObjectLockEnabled":"Enabled","Rule":\#(rule)}"#,
                    ])
            }
            return try await body(
                S3Server(
                    endpoint: server.endpoint, accessKeyID: server.accessKeyID,
                    secretAccessKey: server.secretAccessKey, bucket: name, program: server.program))
        }
    }

    /// Number of versions and delete markers of the objects whose keys begin with a prefix.
    package static func versionCount(on server: S3Server, prefix: String) async throws -> Int {
        let lists = "[length(Versions||`[]`),length(DeleteMarkers||`[]`)]"
        let text = try await configure(
            server,
            [
                "list-object-versions", "--bucket", server.bucket, "--prefix", prefix, "--query", lists, "--output",
                "text",
            ])
        return text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.reduce(0, +)
    }

    @discardableResult
    private static func configure(
        _ server: S3Server, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> String {
        let settings = [
            "AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
        let done = try await run(
            .tool("aws"), ["--endpoint-url", server.endpoint, "s3api"] + arguments,
            environment: Program.environment(adding: settings.merging(environment) { $1 }))
        guard done.exitStatus == .exited(0) else { throw S3ServerFailure(description: done.transcript) }
        return done.lines(of: .standardOutput).joined(separator: "\n")
    }

    /// Runs a server with one bucket and always stops it.
    package static func withServer<Success>(_ body: (S3Server) async throws -> Success) async throws -> Success {
        let moto = try Executable.tool("moto_server")
        return try await withProgram(moto, ["--host", "127.0.0.1", "--port", "0"]) { program in
            let line = try await program.waitForLine { $0.contains("Running on http://127.0.0.1:") }
            guard let port = line.text.split(separator: ":").last.flatMap({ Int($0) }) else {
                throw S3ServerFailure(description: "moto did not tell its port: \(line.text)")
            }
            try await createBucket(bucket, port: port)
            return try await body(
                S3Server(
                    endpoint: "http://127.0.0.1:\(port)", accessKeyID: "moto", secretAccessKey: "moto",
                    bucket: bucket, program: program))
        }
    }

    /// Runs a moto server with one bucket over TLS and always stops it.
    package static func withServer<Success>(
        certificate: ServerCertificate, _ body: (S3Server) async throws -> Success
    ) async throws -> Success {
        let moto = try Executable.tool("moto_server")
        let options = [
            "--host", "127.0.0.1", "--port", "0", "--ssl-cert", certificate.certificatePath, "--ssl-key",
            certificate.keyPath,
        ]
        return try await withProgram(moto, options) { program in
            let line = try await program.waitForLine { $0.contains("Running on https://127.0.0.1:") }
            guard let port = line.text.split(separator: ":").last else {
                throw S3ServerFailure(description: "moto did not tell its port: \(line.text)")
            }
            let server = S3Server(
                endpoint: "https://localhost:\(port)", accessKeyID: "moto", secretAccessKey: "moto", bucket: bucket,
                program: program)
            try await configure(
                server, ["create-bucket", "--bucket", bucket], environment: ["AWS_CA_BUNDLE": certificate.authorityPath]
            )
            return try await body(server)
        }
    }
}
