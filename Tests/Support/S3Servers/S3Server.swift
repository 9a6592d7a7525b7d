import NIOCore
import NIOPosix
package import TestSupport

/// A real S3 server that runs during a test.
///
/// `make deps-tools` installs its program. If the program is missing, a test that needs it fails instead of being
/// skipped.
package struct S3Server: Sendable {
    /// The address `http://127.0.0.1:<port>`, or over TLS `https://localhost:<port>`.
    package let endpoint: String
    package let accessKeyID: String
    package let secretAccessKey: String
    /// The name of an existing bucket.
    package let bucket: String
    /// The server's process, for tests that stop or kill it.
    package let program: Program
    /// The JuiceFS gateway, if this server is one: a test can run it again on the same volume. `nil` for another
    /// server.
    package let juiceFS: JuiceFSGateway?

    package init(
        endpoint: String, accessKeyID: String, secretAccessKey: String, bucket: String, program: Program,
        juiceFS: JuiceFSGateway? = nil
    ) {
        self.endpoint = endpoint
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.bucket = bucket
        self.program = program
        self.juiceFS = juiceFS
    }
}

/// The error for a server that does not start, or that does not answer as the tests need it.
package struct S3ServerFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Waits until a port of this machine accepts connections, by repeated attempts, because no event reports it.
func waitUntilReachable(port: Int, program: Program) async throws {
    try await withDeadline(.seconds(120), "port \(port) to be open", detail: { program.transcript }) {
        while true {
            guard program.exitStatus == nil else {
                throw S3ServerFailure(description: "the server ended\n\(program.transcript)")
            }
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                return try await channel.close()
            } catch let error where error is NIOConnectionError || error is IOError {
                // The port is not open yet, and no event reports when it is.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

/// Creates a bucket on a server that takes the region from the signature and does not verify the signature.
func createBucket(_ name: String, port: Int) async throws {
    let request = [
        "PUT /\(name) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Content-Length: 0", "Connection: close",
        "Authorization: AWS4-HMAC-SHA256 Credential=tests/20200101/us-east-1/s3/aws4_request, "
            + "SignedHeaders=host, Signature=none",
    ]
    let answer = try await exchange(request.joined(separator: "\r\n") + "\r\n\r\n", port: port)
    guard answer.hasPrefix("HTTP/1.1 200") else { throw S3ServerFailure(description: "no bucket: \(answer)") }
}

/// Sends the text of a request and returns the answer up to the end of the connection.
func exchange(_ request: String, port: Int) async throws -> String {
    let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await connection.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: request))
        var answer = ByteBuffer()
        for try await buffer in inbound { answer.writeImmutableBuffer(buffer) }
        return String(buffer: answer)
    }
}
