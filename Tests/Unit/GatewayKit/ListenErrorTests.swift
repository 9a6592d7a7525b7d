import GatewayKit
import Glibc
import NIOCore
import Testing

/// Tests of the message and exit code of a gateway that cannot listen.
@Suite struct ListenErrorTests {
    @Test(
        arguments: [
            (.unknownHost, 64, "no name service knows this host", "correct the name"),
            (.silentNameService, 75, "does not answer", "check the name service"),
            (.system(errno: EADDRINUSE), 75, "another process uses this port", "stop it"),
            (.system(errno: EADDRNOTAVAIL), 75, "no network interface", "name an address of this machine"),
            (.system(errno: EACCES), 64, "may not use this port", "from 1024 on"),
            (.system(errno: EMFILE), 75, "too few descriptors", "ulimit -n"),
            (.system(errno: EIO), 75, "Input/output error", "--listen"), (.refused, 75, "refused it", "--listen"),
        ] as [(ListenError.Cause, Int32, String, String)])
    func causeComesFirst(cause: ListenError.Cause, exitCode: Int32, reason: String, advice: String) throws {
        let failure = try #require(GatewayFailure(ListenError(host: "gate.example", port: 7_420, cause: cause)))
        #expect(failure.exitCode == exitCode)
        let parts = failure.sentence.split(separator: "; ", maxSplits: 1)
        #expect(parts.first?.hasPrefix("cannot listen on gate.example:7420: ") == true, "\(failure.sentence)")
        #expect(parts.first?.contains(reason) == true && parts.last?.contains(advice) == true, "\(failure.sentence)")
    }

    /// The library has an error of its own for names that cannot be resolved. Without a name service, the cause is
    /// another one.
    @Test func errorOfTheLibraryIsNoUnexpectedError() throws {
        do {
            _ = try SocketAddress.makeAddressResolvingHost("host.invalid", port: 7_420)
            Issue.record("the name service knows a name that cannot exist")
        } catch {
            let cause = ListenError(host: "host.invalid", port: 7_420, error).cause
            #expect([.unknownHost, .silentNameService].contains(cause))
        }
    }

    @Test(arguments: [(EAI_AGAIN, ListenError.Cause.silentNameService), (EAI_NONAME, .unknownHost)])
    func silentNameServiceIsNoWrongName(code: CInt, cause: ListenError.Cause) {
        #expect(ListenError.Cause(resolver: code) == cause)
    }

    @Test func errorOfTheSystemKeepsItsNumber() {
        let error = IOError(errnoCode: EADDRINUSE, reason: "bind")
        #expect(ListenError(host: "::1", port: 1, error).cause == .system(errno: EADDRINUSE))
        #expect("\(ListenError(host: "::1", port: 1, error))".contains("[::1]:1"))
    }
}
