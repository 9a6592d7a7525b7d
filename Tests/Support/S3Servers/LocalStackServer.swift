import Foundation
import TestSupport

/// LocalStack's S3, which imitates AWS in memory. It checks conditions and checksums as AWS does, but neither
/// signatures nor `x-amz-content-sha256`.
///
/// LocalStack needs other versions of some packages than moto, so it has a virtual environment of its own.
package enum LocalStackServer {
    private static let bucket = "bucket"

    /// Runs a server with one bucket and always stops it.
    package static func withServer<Success>(_ body: (S3Server) async throws -> Success) async throws -> Success {
        let python = try Executable.tool("python", in: ".venv-localstack")
        return try await withTemporaryDirectory("localstack") { directory in
            let port = try findFreePort()
            let objects = directory.appending(path: "objects").path(percentEncoded: false)
            let environment = Program.environment(adding: environment(port: port, directory: directory))
            return try await withProgram(python, ["-c", launcher, objects], environment: environment) { program in
                try await program.waitForLine { $0 == "Ready." }
                try await waitUntilReachable(port: port, program: program)
                try await createBucket(bucket, port: port)
                return try await body(
                    S3Server(
                        endpoint: "http://127.0.0.1:\(port)", accessKeyID: "localstack",
                        secretAccessKey: "localstack", bucket: bucket, program: program))
            }
        }
    }

    /// LocalStack keeps the objects of all servers of a machine in one folder, and listens on all addresses of the
    /// machine. No setting changes either, so this program changes both before it starts LocalStack.
    private static let launcher = """
        import functools, sys
        from localstack.runtime.main import main
        from localstack.services.s3 import provider
        from twisted.internet import endpoints
        provider.DEFAULT_S3_TMP_DIR = sys.argv[1]
        endpoints.TCP4ServerEndpoint = functools.partial(endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
        main()
        """

    private static func environment(port: Int, directory: URL) -> [String: String] {
        let path = directory.path(percentEncoded: false)
        return [
            "HOME": path, "FILESYSTEM_ROOT": "\(path)/files", "PYTHONDONTWRITEBYTECODE": "1",
            "SERVICES": "s3", "EAGER_SERVICE_LOADING": "1",
            "GATEWAY_LISTEN": "127.0.0.1:\(port)", "LOCALSTACK_HOST": "127.0.0.1:\(port)",
            // In a container LocalStack would write outside of `FILESYSTEM_ROOT`.
            "OVERRIDE_IN_DOCKER": "0",
            // No requests to other machines, and no name server.
            "DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1", "DNS_ADDRESS": "0",
        ]
    }
}
