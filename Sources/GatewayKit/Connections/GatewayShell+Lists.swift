import Foundation
import Logging
import NIOCore
import NIOPosix

// The device list and the invitations, which an operator may change while the gateway serves.

/// State of reading both lists. A pool thread reads, because a disk that hangs must not stop the event loop.
enum ListReading {
    case idle
    /// The lists are being read. The promise succeeds when they have been read.
    case reading(EventLoopPromise<Void>)
    /// A call of `refreshLists` came too late for this reading. A second reading follows and completes `next`.
    case readingAgain(EventLoopPromise<Void>, next: EventLoopPromise<Void>)
}

extension GatewayShell {
    private typealias Changes = (invitations: InvitationList?, devices: DeviceList?)

    /// Reads the lists again if their files have changed.
    ///
    /// - Returns: a future that succeeds when every change from before this call has been applied. It never fails: if a
    ///   file cannot be read, the gateway keeps the list that it has.
    @discardableResult
    func refreshLists() -> EventLoopFuture<Void> {
        switch listReading {
        case .idle:
            let promise = eventLoop.makePromise(of: Void.self)
            read(promise)
            return promise.futureResult
        case .reading(let promise):
            let next = eventLoop.makePromise(of: Void.self)
            listReading = .readingAgain(promise, next: next)
            return next.futureResult
        case .readingAgain(_, let next):
            return next.futureResult
        }
    }

    private func read(_ promise: EventLoopPromise<Void>) {
        listReading = .reading(promise)
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [files] () -> Changes in
            // `redeem` writes the device list first and removes the invitation second. Read in the opposite order: if
            // the invitation is gone here, the device list that is read next contains its device.
            let invitations = files.invitations.changed()
            return (invitations, files.devices.changed())
        }.whenComplete { result in
            // try?: the process-wide thread pool never stops, so it refuses no job.
            let changes = try? result.get()
            self.assumeIsolated { $0.haveRead(changes ?? (nil, nil)) }
        }
    }

    private func haveRead(_ changes: Changes) {
        if let invitations = changes.invitations { invitationsChanged(invitations) }
        if let devices = changes.devices { devicesChanged(devices) }
        switch listReading {
        case .idle:
            break
        case .reading(let promise):
            listReading = .idle
            promise.succeed()
        case .readingAgain(let promise, let next):
            read(next)
            promise.succeed()
        }
    }

    /// Waits until no list is being read.
    func finishReadingLists() async {
        while true {
            switch listReading {
            case .idle: return
            // try?: the futures never fail.
            case .reading(let promise), .readingAgain(_, let promise): try? await promise.futureResult.get()
            }
        }
    }
}
