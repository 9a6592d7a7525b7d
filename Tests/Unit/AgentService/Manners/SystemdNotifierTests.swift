import AgentService
import Foundation
import Glibc
import TestSupport
import Testing

/// Tests of the messages to systemd.
@Suite(.timeLimit(.minutes(1))) struct SystemdNotifierTests {
    /// A socket for datagrams, as systemd has one.
    private final class Receiver {
        private let socket: Int32

        /// - Parameter name: the path, or an abstract name that begins with a zero byte.
        init(_ name: [UInt8]) throws {
            socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var limit = timeval(tv_sec: 30, tv_usec: 0)
            setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
            let result = withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) }
            }
            try #require(result == 0)
        }

        deinit { close(socket) }

        func receive() -> String {
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = recv(socket, &buffer, buffer.count, 0)
            return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
        }
    }

    @Test func messagesReachTheSocketOfAPath() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "notify").path(percentEncoded: false)
            let receiver = try Receiver(Array(path.utf8))
            let notifier = SystemdNotifier(environment: ["NOTIFY_SOCKET": path])
            for (message, text) in [
                (SystemdNotifier.Message.ready, "READY=1"), (.stopping, "STOPPING=1"), (.watchdog, "WATCHDOG=1"),
                (.status("2 files\npending"), "STATUS=2 files pending"),
            ] {
                notifier.send(message)
                #expect(receiver.receive() == text)
            }
            notifier.send(.reloading)
            #expect(receiver.receive().wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*/) != nil)
        }
    }

    /// Containers often have an abstract socket. Its name has no zero byte at its end.
    @Test func messagesReachAnAbstractSocket() throws {
        let name = "sluice-notify-\(UUID().uuidString)"
        let receiver = try Receiver([0] + Array(name.utf8))
        SystemdNotifier(environment: ["NOTIFY_SOCKET": "@" + name]).send(.ready)
        #expect(receiver.receive() == "READY=1")
    }

    @Test(arguments: [
        [:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "@"], ["NOTIFY_SOCKET": "vsock:2:1234"],
        ["NOTIFY_SOCKET": "/missing/notify"], ["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 200)],
    ])
    func socketThatCannotBeUsedIsIgnored(environment: [String: String]) {
        SystemdNotifier(environment: environment).send(.ready)
    }

    @Test func watchdogIsForTheNamedProcess() {
        let rows: [([String: String], Duration?)] = [
            (["WATCHDOG_USEC": "30000000"], .seconds(30)),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"], .seconds(30)),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"], nil), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "soon"], nil), ([:], nil),
        ]
        for (variables, interval) in rows {
            let environment = variables.merging(["NOTIFY_SOCKET": "@sluice"]) { $1 }
            #expect(SystemdNotifier(environment: environment).watchdogInterval == interval, "\(variables)")
        }
        #expect(SystemdNotifier(environment: ["WATCHDOG_USEC": "30000000"]).watchdogInterval == nil)
    }
}
