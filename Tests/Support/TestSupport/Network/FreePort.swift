import Foundation

/// A loopback TCP port reserved for this process while the value exists, with or without a listener.
///
/// A second socket can listen on the port if it also sets `SO_REUSEPORT`. Without a listener, connections are refused.
/// ``FaultProxy`` uses that to simulate a gateway that is down.
struct PortReservation: ~Copyable {
    let port: Int
    private let descriptor: Int32

    init() throws {
        (descriptor, port) = try makeBoundSocket(reusingPort: true)
    }

    deinit {
        _ = close(descriptor)
    }
}

/// A loopback TCP port that was free a moment ago.
///
/// Another process may take the port before its use. Only for programs that can neither report a port chosen by the
/// system nor inherit a socket.
package func findFreePort() throws -> Int {
    let (descriptor, port) = try makeBoundSocket(reusingPort: false)
    _ = close(descriptor)
    return port
}

/// A failed system call with its error number.
struct SystemCallFailure: Error, CustomStringConvertible {
    let call: String
    let code: Int32

    /// - Parameter code: the error number: `errno`, or the result of a call that returns its error number.
    init(_ call: String, code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    var description: String { "\(call): \(String(cString: strerror(code)))" }
}

private func makeBoundSocket(reusingPort: Bool) throws -> (descriptor: Int32, port: Int) {
    #if os(Linux)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    guard descriptor >= 0 else { throw SystemCallFailure("socket") }
    do {
        var yes: Int32 = 1
        if reusingPort, setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, socklen_t(MemoryLayout<Int32>.size)) != 0
        {
            throw SystemCallFailure("setsockopt SO_REUSEPORT")
        }
        return (descriptor, try bindToLoopback(descriptor))
    } catch {
        _ = close(descriptor)
        throw error
    }
}

private func bindToLoopback(_ descriptor: Int32) throws -> Int {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
        }
    }
    guard result else { throw SystemCallFailure("bind to loopback") }
    return Int(UInt16(bigEndian: address.sin_port))
}
