import NIOCore
import NIOPosix
package import TestSupport

/// A real server that speaks S3, running for the time of a test.
///
/// Its program is one that `make deps-tools` installs. A test that lacks it fails and is not skipped.
package struct S3Server: Sendable {
    /// `http://127.0.0.1:<port>`, or over TLS `https://localhost:<port>`.
    package let endpoint: String
    package let accessKeyID: String
    package let secretAccessKey: String
    /// One that exists.
    package let bucket: String
    /// For tests that stop or kill it.
    package let program: Program
    /// To run it again on the same volume; `nil` where it is another kind of server.
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

/// A server did not come up.
package struct S3ServerFailure: Error, CustomStringConvertible {
    package let description: String
}

/// Waits until a port of this machine accepts connections. Nobody tells when it does, so it is tried.
func waitUntilReachable(port: Int, program: Program) async throws {
    try await withDeadline(.seconds(30), "port \(port) to be open", detail: { program.transcript }) {
        while true {
            guard program.exitStatus == nil else {
                throw S3ServerFailure(description: "the server ended\n\(program.transcript)")
            }
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                return try await channel.close()
            } catch let error where error is NIOConnectionError || error is IOError {
                // Not yet, and nothing tells when.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

/// Sends a request as it is written and returns the answer up to the end of the connection.
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
