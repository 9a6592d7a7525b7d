import NIOCore
import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The error of a gateway that cannot listen at the address of the setting `listen`.
package struct ListenError: Error, CustomStringConvertible {
    /// Why the gateway cannot listen.
    package enum Cause: Equatable, Sendable {
        /// The name service knows no address of the host.
        case unknownHost
        /// The name service gave no answer about the host.
        case silentNameService
        /// A call of the system failed.
        case system(errno: CInt)
        /// The network library refused the address.
        case refused
    }

    package let host: String
    package let port: Int
    package let cause: Cause
    /// The library's own text, for the log at debug level.
    let libraryText: String?

    package init(host: String, port: Int, cause: Cause, libraryText: String? = nil) {
        self.host = host
        self.port = port
        self.cause = cause
        self.libraryText = libraryText
    }

    /// - Parameter error: the error with which the network library has refused to listen.
    package init(host: String, port: Int, _ error: any Error) {
        let cause: Cause =
            switch error {
            case let error as SocketAddressError.UnknownHost: Cause(resolver: CInt(truncatingIfNeeded: error.errorCode))
            case is SocketAddressError: .unknownHost
            case let error as IOError: .system(errno: error.errnoCode)
            default: .refused
            }
        self.init(host: host, port: port, cause: cause, libraryText: String(reflecting: error))
    }

    private var address: String { HostAndPort.text(host: host, port: port) }

    package var description: String {
        switch cause {
        case .unknownHost: "cannot listen on \(address): no name service knows this host"
        case .silentNameService: "cannot listen on \(address): the name service does not answer for this host"
        case .system(EADDRINUSE): "cannot listen on \(address): another process uses this port"
        case .system(EADDRNOTAVAIL):
            "cannot listen on \(address): no network interface of this machine has this address"
        case .system(EACCES), .system(EPERM): "cannot listen on \(address): the gateway's user may not use this port"
        case .system(EMFILE), .system(ENFILE): "cannot listen on \(address): this process has too few descriptors"
        case .system(let code): "cannot listen on \(address): \(String(cString: strerror(code)))"
        case .refused: "cannot listen on \(address): the system refused it"
        }
    }

    /// What the operator can do.
    var advice: String {
        switch cause {
        case .unknownHost: "correct the name, or name an address of this machine with --listen"
        case .silentNameService: "check the name service, or name an address of this machine with --listen"
        case .system(EADDRINUSE): "stop it, or name another port with --listen"
        case .system(EADDRNOTAVAIL): "name an address of this machine with --listen, or 0.0.0.0 for all of them"
        case .system(EACCES), .system(EPERM): "name a port from 1024 on with --listen, or give the user the right to it"
        case .system(EMFILE), .system(ENFILE): "\(DescriptorLimit.advice), and start again"
        case .system, .refused: "name another address or port with --listen"
        }
    }

    /// `usage` if every attempt fails until the setting changes, and `tryAgain` otherwise: a port may become free, and
    /// at the start of a machine an interface or the name service may be missing for a while.
    var exitStatus: ProgramExit {
        switch cause {
        case .unknownHost, .system(EACCES), .system(EPERM): .usage
        case .silentNameService, .system, .refused: .tryAgain
        }
    }
}

extension ListenError.Cause {
    /// - Parameter resolver: the result of `getaddrinfo`.
    package init(resolver code: CInt) {
        self = code == EAI_AGAIN || code == EAI_FAIL || code == EAI_SYSTEM ? .silentNameService : .unknownHost
    }
}
