import Foundation
import Logging
import NIOCore
import NIOPosix

// The device list and the invitations, which an operator may change while the gateway serves.

extension GatewayShell {
    /// Whether the lists are being read. Other threads read them, because a disk that hangs must not stop the event
    /// loop.
    enum ListReading {
        case idle
        /// The lists are being read. The promise succeeds when they have been read.
        case reading(EventLoopPromise<Void>)
        /// `refreshLists` was called while the lists were being read. The reading under way may miss a change, so
        /// another one follows.
        case readingAgain(EventLoopPromise<Void>, next: EventLoopPromise<Void>)
    }

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
            // `GatewayHome.redeem` writes the device list first and then removes the invitation. The files are read in
            // the opposite order, so that a device whose invitation is gone already is certainly on the list.
            let invitations = files.invitations.changed()
            return (invitations, files.devices.changed())
        }.whenComplete { result in
            // The thread pool of the process is never shut down, so it never refuses the job.
            let changes = try? result.get()
            self.assumeIsolated { $0.haveRead(changes ?? (nil, nil)) }
        }
    }

    private func haveRead(_ changes: Changes) {
        if let invitations = changes.invitations { self.invitations = invitations }
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
            // The futures never fail.
            case .reading(let promise), .readingAgain(_, let promise): try? await promise.futureResult.get()
            }
        }
    }
}
