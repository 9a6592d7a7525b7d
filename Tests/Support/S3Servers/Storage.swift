package import Foundation
import TestSupport
package import TransferCommon
import WireProtocol

/// The kind of storage for a site's objects.
package enum StorageKind: String, CaseIterable, Sendable {
    /// The embedded store (FileStore).
    case directory
    /// An S3 server that does not keep a finished object's ETag and metadata.
    case juiceFS
    /// The same server as `juiceFS`, with options to keep the ETag and metadata.
    case juiceFSWithETags
    /// An S3 server that supports conditions and metadata, but checks neither signatures nor digests.
    case moto
    /// moto, used with the gateway's provider setting for AWS. With this setting the gateway asks the store to keep the
    /// SHA-256 of every part and object.
    case motoAsAWS
    /// moto with the same settings as `moto`, but over TLS with a certificate of a private authority.
    case motoOverTLS

    /// The two kinds on which the tests try every interruption.
    package static let usual: [StorageKind] = [.directory, .juiceFS]
    package static let s3: [StorageKind] = [.juiceFS, .juiceFSWithETags, .moto, .motoAsAWS]

    /// Runs `body` with an empty storage of this kind below a directory, and stops its server, if it has one.
    package func with(in directory: URL, _ body: (any Storage) async throws -> Void) async throws {
        switch self {
        case .directory:
            let objects = directory.appending(path: "store")
            try FileManager.default.createDirectory(at: objects, withIntermediateDirectories: true)
            try await body(DirectoryStorage(directory: objects))
        case .juiceFS:
            try await JuiceFSGateway.withServer(.none) { try await body(S3Storage(server: $0, directory: directory)) }
        case .juiceFSWithETags:
            try await JuiceFSGateway.withServer(.full) { try await body(S3Storage(server: $0, directory: directory)) }
        case .moto:
            try await MotoServer.withServer { try await body(S3Storage(server: $0, directory: directory)) }
        case .motoAsAWS:
            try await MotoServer.withServer {
                try await body(S3Storage(server: $0, directory: directory, provider: "aws"))
            }
        case .motoOverTLS:
            let folder = directory.appending(path: "certificates")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let certificate = try await ServerCertificate.make(in: folder)
            try await MotoServer.withServer(certificate: certificate) {
                try await body(
                    S3Storage(server: $0, directory: directory, authorities: certificate.authorityPath))
            }
        }
    }
}

/// The storage of a site's objects, accessed without Sluice.
package protocol Storage: Sendable {
    /// The smallest part size in bytes, which the tests use.
    var partBytes: Int { get }

    /// Command-line options of a gateway for this storage.
    var options: [String] { get }

    /// Environment variables of a gateway for this storage.
    var environment: [String: String] { get }

    /// The digest of the object under the key, or `nil` if there is none.
    func digest(of key: String) async throws -> SHA256Digest?

    /// Calls `body` with the objects below a prefix as files, in a dictionary by object key. The prefix is empty or
    /// ends in a slash. Leaves out the gateways' own objects.
    func withObjects<Success>(below prefix: String, _ body: ([String: URL]) throws -> Success) async throws -> Success

    /// Writes a file under a key, as a program without Sluice does.
    func put(_ file: URL, key: String) async throws

    /// The remains of unfinished uploads: uploads, session records and staged files.
    func unfinished() async throws -> [String]

    /// Removes all unfinished uploads without a gateway, as an operator or a lifecycle rule does.
    func purgeUploads() async throws
}

/// A directory of the embedded store.
package struct DirectoryStorage: Storage {
    package let directory: URL

    package let partBytes = 1 << 20
    package var options: [String] { ["--store", directory.absoluteString] }
    package let environment: [String: String] = [:]

    package func digest(of key: String) throws -> SHA256Digest? {
        let object = directory.appending(path: key)
        guard FileManager.default.fileExists(atPath: object.path(percentEncoded: false)) else { return nil }
        return try fileDigest(object)
    }

    package func withObjects<Success>(
        below prefix: String, _ body: ([String: URL]) throws -> Success
    ) throws -> Success {
        try body(files(below: directory, prefix: prefix))
    }

    package func put(_ file: URL, key: String) throws {
        // Rename the file into place, so that no reader sees half of it.
        let made = directory.appending(path: "another-writers-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: file, to: made)
        guard rename(made.path(percentEncoded: false), directory.appending(path: key).path(percentEncoded: false)) == 0
        else { throw S3StorageFailure(description: "the file could not be put into the directory: \(errno)") }
    }

    package func unfinished() throws -> [String] {
        try ["uploads", "sessions"].flatMap { folder in
            let path = directory.appending(path: ".sluice/\(folder)").path(percentEncoded: false)
            return try FileManager.default.contentsOfDirectory(atPath: path).map { "\(folder)/\($0)" }
        }
    }

    package func purgeUploads() throws {
        let uploads = directory.appending(path: ".sluice/uploads")
        for upload in try FileManager.default.contentsOfDirectory(at: uploads, includingPropertiesForKeys: nil) {
            // Rename first: a gateway that writes into the folder meanwhile could keep it from being emptied.
            let away = directory.deletingLastPathComponent().appending(path: "purged-\(UUID().uuidString)")
            try FileManager.default.moveItem(at: upload, to: away)
        }
    }
}

/// A bucket, accessed by third-party clients.
package struct S3Storage: Storage {
    package let server: S3Server
    /// The folder for downloaded objects.
    package let directory: URL
    /// The provider setting of the gateway; `nil` if the gateway detects it.
    package var provider: String?
    /// A file with the authority of the server's certificate; `nil` if there is none.
    package var authorities: String?

    private static let prefix = "site"
    package let partBytes = 5 << 20

    package var options: [String] { options(endpoint: server.endpoint) }

    /// Command-line options of a gateway that reaches the bucket at this address.
    ///
    /// - Parameter endpoint: the server's address, or that of a proxy in front of it.
    package func options(endpoint: String) -> [String] {
        ["--store", "s3://\(server.bucket)/\(Self.prefix)", "--s3-endpoint", endpoint]
            + (provider.map { ["--s3-provider", $0, "--s3-addressing", "path"] } ?? [])
            + (authorities.map { ["--s3-ca", $0] } ?? [])
    }

    package var environment: [String: String] {
        [
            "AWS_ACCESS_KEY_ID": server.accessKeyID, "AWS_SECRET_ACCESS_KEY": server.secretAccessKey,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    package func digest(of key: String) async throws -> SHA256Digest? {
        let copy = directory.appending(path: "fetched-\(UUID().uuidString)")
        let fetched = try await tool(
            "s5cmd", ["cp", "\(address)/\(key)", copy.path(percentEncoded: false)])
        guard fetched.exitStatus == .exited(0) else {
            guard fetched.transcript.contains("404") || fetched.transcript.contains("no object found") else {
                throw S3StorageFailure(description: fetched.transcript)
            }
            return nil
        }
        let digest = try fileDigest(copy)
        try FileManager.default.removeItem(at: copy)
        return digest
    }

    package func withObjects<Success>(
        below prefix: String, _ body: ([String: URL]) throws -> Success
    ) async throws -> Success {
        try await withTemporaryDirectory("fetched") { copies in
            let target = copies.appending(path: prefix, directoryHint: .isDirectory)
            let fetched = try await tool(
                "s5cmd", ["cp", "\(address)/\(prefix)*", target.path(percentEncoded: false)], within: .seconds(600))
            guard fetched.exitStatus == .exited(0) || fetched.transcript.contains("no object found") else {
                throw S3StorageFailure(description: fetched.transcript)
            }
            return try body(files(below: copies, prefix: prefix))
        }
    }

    package func put(_ file: URL, key: String) async throws {
        let put = try await tool("s5cmd", ["cp", file.path(percentEncoded: false), "\(address)/\(key)"])
        guard put.exitStatus == .exited(0) else { throw S3StorageFailure(description: put.transcript) }
    }

    package func unfinished() async throws -> [String] {
        // Session records, and what probes have left behind. The tool reports an error if the folder is empty.
        let objects = try await tool("s5cmd", ["ls", "\(address)/.sluice/*"])
        let left = objects.exitStatus == .exited(0) ? objects.lines(of: .standardOutput) : []
        return try await uploads().map { "upload of \($0.key)" } + left
    }

    package func purgeUploads() async throws {
        for upload in try await uploads() {
            let aborted = try await tool(
                "aws",
                [
                    "s3api", "abort-multipart-upload", "--bucket", server.bucket, "--key", upload.key, "--upload-id",
                    upload.uploadId,
                ])
            guard aborted.exitStatus == .exited(0) else { throw S3StorageFailure(description: aborted.transcript) }
        }
    }

    /// Begins an upload as another program does. A gateway must not touch this upload.
    package func beginForeignUpload(key: String) async throws {
        let created = try await tool(
            "aws", ["s3api", "create-multipart-upload", "--bucket", server.bucket, "--key", key])
        guard created.exitStatus == .exited(0) else { throw S3StorageFailure(description: created.transcript) }
    }

    private struct Upload: Decodable {
        var key: String
        var uploadId: String

        enum CodingKeys: String, CodingKey {
            case key = "Key"
            case uploadId = "UploadId"
        }
    }

    private struct Listing: Decodable {
        var uploads: [Upload]?

        enum CodingKeys: String, CodingKey {
            case uploads = "Uploads"
        }
    }

    private func uploads() async throws -> [Upload] {
        let listed = try await tool("aws", ["s3api", "list-multipart-uploads", "--bucket", server.bucket])
        guard listed.exitStatus == .exited(0) else { throw S3StorageFailure(description: listed.transcript) }
        let text = listed.lines(of: .standardOutput).joined(separator: "\n")
        guard !text.isEmpty else { return [] }
        return try JSONDecoder().decode(Listing.self, from: Data(text.utf8)).uploads ?? []
    }

    private var address: String { "s3://\(server.bucket)/\(Self.prefix)" }

    private func tool(
        _ name: String, _ arguments: [String], within limit: Duration = .seconds(60)
    ) async throws -> Program {
        let trust = authorities.map { ["AWS_CA_BUNDLE": $0, "SSL_CERT_FILE": $0] } ?? [:]
        return try await run(
            try .tool(name), ["--endpoint-url", server.endpoint] + arguments,
            environment: Program.environment(adding: environment.merging(trust) { $1 }), within: limit)
    }
}

/// The error for a client of the store that has failed.
package struct S3StorageFailure: Error, CustomStringConvertible {
    package let description: String
}

private func files(below directory: URL, prefix: String) throws -> [String: URL] {
    let root = directory.appending(path: prefix, directoryHint: .isDirectory).path(percentEncoded: false)
    var found: [String: URL] = [:]
    let names = FileManager.default.enumerator(atPath: root)
    while let name = names?.nextObject() as? String {
        let url = URL(filePath: root).appending(path: name)
        guard names?.fileAttributes?[.type] as? FileAttributeType == .typeRegular, !name.hasPrefix(".sluice/") else {
            continue
        }
        found[prefix + name] = url
    }
    return found
}
