import AsyncHTTPClient
import NIOCore
import SystemSupport

extension HTTPClient {
    /// Makes an HTTP client for the requests to a store.
    ///
    /// - Parameter answer: time limit from the end of a request to the beginning of its answer.
    static func forStore(_ configuration: S3Configuration, answer: Duration) -> HTTPClient {
        let timeouts = configuration.timeouts
        var settings = HTTPClient.Configuration()
        S3Authorities.configure(&settings, with: configuration.authorities)
        settings.proxy = configuration.proxy?.setting
        settings.redirectConfiguration = .disallow
        settings.httpVersion = .http1Only
        settings.decompression = .disabled
        // Tracing is off, because looking up a tracer costs time for every request.
        settings.tracing.tracer = nil
        // Write the head and the body of a request with one system call, together with other requests of the same turn
        // of the event loop.
        settings.http1_1ConnectionDebugInitializer = { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(FlushGatherer(), position: .first)
            }
        }
        settings.timeout = .init(
            connect: TimeAmount(timeouts.connect), read: TimeAmount(answer), write: TimeAmount(timeouts.bodyPause))
        // The budgets of the callers bound the number of connections, so this limit can be high. With a low limit, a
        // call would wait until the part of another call is sent.
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
        settings.connectionPool.idleTimeout = .seconds(15)
        // The caller repeats requests itself and needs to see each failure at once.
        settings.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }
}

extension S3Configuration {
    /// The proxy for the requests to this store; `nil` if they are sent directly. If the store later names another
    /// region, and with it another host, the proxy stays the same.
    var proxy: ProxySettings.Proxy? {
        let target = endpoint.target(bucket: bucket, addressing: addressing, region: region)
        return proxies.proxy(host: target.host, port: target.port, isSecure: target.isSecure)
    }
}
