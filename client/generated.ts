/** Made from the OpenAPI document by `npm run generate`; not written by hand, and held equal to it by a test. */
export interface Schemas {
  Fault: {
    pointer: string;
    detail: string;
  };
  Problem: {
    type: string;
    title: string;
    status: number;
    detail: string;
    instance: string;
    errors?: ReadonlyArray<Schemas["Fault"]>;
    counted?: number;
  } & { readonly [name: string]: unknown };
  Evidence: {
    paths: ReadonlyArray<readonly [string, number]>;
    hosts: ReadonlyArray<readonly [string, number]>;
    asns: ReadonlyArray<readonly [number, number]>;
    statuses: ReadonlyArray<readonly [number, number]>;
    methods: ReadonlyArray<readonly [string, number]>;
    ray_ids: ReadonlyArray<string>;
  };
  Anomaly: {
    anomaly_id: string;
    kind: "surge" | "slow_surge" | "newcomer" | "divergence" | "impostor" | "rare_here_hot" | "rank_shift" | "ua_rotation" | "path_scan" | "error_burst" | "cache_bust" | "ip_spread" | "bot_shift" | "family_swarm";
    ja4: string;
    severity: "info" | "warning" | "critical";
    score: number;
    p: number;
    window: "1m" | "5m" | "1h";
    observed: number;
    expected: number;
    low: number;
    high: number;
    unit: string;
    started_at: string;
    ended_at?: string;
    reason?: "recovered" | "quiet" | "silenced" | "disabled" | "deleted" | "new_normal";
    silenced: boolean;
    grouped: boolean;
    because: ReadonlyArray<{
      signal: string;
      local: number;
      expected: number;
      global?: number;
      p: number;
    }>;
    evidence: Schemas["Evidence"];
    url: string;
    summary: string;
  };
  ThresholdAlert: {
    anomaly_id: string;
    kind: "threshold";
    threshold: string;
    ja4?: string;
    severity: "info" | "warning" | "critical";
    signal: string;
    window?: "1m" | "5m" | "1h";
    observed?: number;
    value: number;
    started_at: string;
    ended_at?: string;
    reason?: "recovered" | "quiet" | "silenced" | "disabled" | "deleted" | "new_normal";
    silenced: boolean;
    grouped: boolean;
    evidence: Schemas["Evidence"];
    url: string;
    summary: string;
  };
  Storm: {
    anomaly_id: string;
    kind: "storm";
    severity: "info" | "warning" | "critical";
    started_at: string;
    ended_at?: string;
    reason?: "recovered" | "quiet" | "silenced" | "disabled" | "deleted" | "new_normal";
    silenced: boolean;
    grouped: boolean;
    raises: number;
    strongest: ReadonlyArray<{
      anomaly_id: string;
      kind: string;
      severity: "info" | "warning" | "critical";
      ja4?: string;
      score?: number;
      threshold?: string;
    }>;
    url: string;
    summary: string;
  };
  SiteAnomaly: {
    anomaly_id: string;
    kind: "flash_crowd" | "outage" | "blind" | "double_source";
    severity: "info" | "warning" | "critical";
    started_at: string;
    ended_at?: string;
    reason?: "recovered" | "quiet" | "silenced" | "disabled" | "deleted" | "new_normal";
    silenced: boolean;
    grouped: boolean;
    window: "1m" | "5m" | "1h";
    observed: number;
    expected: number;
    unit: string;
    url: string;
    summary: string;
  };
  AnomalyEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    subject: string;
    sequence: string;
    type: "hellotide.anomaly.raised" | "hellotide.anomaly.updated" | "hellotide.anomaly.cleared";
    data: Schemas["Anomaly"];
  };
  ThresholdEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    subject: string;
    sequence: string;
    type: "hellotide.threshold.raised" | "hellotide.threshold.cleared";
    data: Schemas["ThresholdAlert"];
  };
  SiteEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    subject: "site";
    sequence: string;
    type: "hellotide.site.raised" | "hellotide.site.cleared";
    data: Schemas["SiteAnomaly"] | Schemas["Storm"];
  };
  WebhookTestEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    subject: "site";
    type: "hellotide.webhook.test";
    data: {
      kind: "test";
      severity: "info";
      started_at: string;
      summary: string;
    };
  };
  HelloEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    type: "hellotide.feed.hello";
    data: {
      cursor: string;
      oldest: string;
      heartbeat_s: number;
    };
  };
  CheckpointEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    type: "hellotide.feed.checkpoint";
    data: {
      cursor: string;
    };
  };
  GapEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    type: "hellotide.feed.gap";
    data: {
      from: string;
      to: string;
    };
  };
  FeedErrorEvent: {
    specversion: "1.0";
    id: string;
    source: string;
    time: string;
    datacontenttype: "application/json";
    type: "hellotide.feed.error";
    data: {
      detail: string;
    };
  };
  FeedTicket: {
    ticket: string;
    expires_at: string;
  };
  AckFrame: {
    type: "ack";
    cursor: string;
  };
  PingFrame: {
    type: "ping";
  };
  PongFrame: {
    type: "pong";
  };
  FeedbackInput: {
    verdict: "true" | "false";
    note?: string;
  };
  Feedback: {
    anomaly_id: string;
    verdict: "true" | "false";
    note?: string;
    created_at: string;
  };
  AnomalyList: {
    anomalies: ReadonlyArray<Schemas["AnomalyEvent"] | Schemas["ThresholdEvent"] | Schemas["SiteEvent"]>;
    next_cursor?: string;
    gap?: {
      from: string;
      to: string;
    };
  };
  AnomalyAnswer: (Schemas["AnomalyEvent"] | Schemas["ThresholdEvent"] | Schemas["SiteEvent"]) & {
    feedback?: Schemas["Feedback"];
  };
  TokenInput: {
    name: string;
    scopes: ReadonlyArray<"ingest" | "read" | "feed" | "write" | "admin">;
    sites: ReadonlyArray<string> | "*";
    expires_at?: string;
  };
  TokenRotation: {
    overlap?: string;
  };
  Token: {
    id: string;
    name: string;
    scopes: ReadonlyArray<"ingest" | "read" | "feed" | "write" | "admin">;
    sites: ReadonlyArray<string>;
    created_at?: string;
    expires_at?: string;
    rotated_at?: string;
    overlap_until?: string;
    static?: true;
  };
  TokenWithSecret: {
    id: string;
    name: string;
    scopes: ReadonlyArray<"ingest" | "read" | "feed" | "write" | "admin">;
    sites: ReadonlyArray<string>;
    created_at?: string;
    expires_at?: string;
    rotated_at?: string;
    overlap_until?: string;
    static?: true;
    token: string;
  };
  Actor: {
    token: string;
  } | {
    access: string;
  };
  AuditItem: {
    id: string;
    at: string;
    actor: Schemas["Actor"];
    action: string;
    site?: string;
    target?: string;
    status?: number;
    request_id: string;
  };
  KindSettings: {
    enabled?: boolean;
    min_reqs?: number;
    min_effect?: number;
  };
  DetectionInput: {
    alert_budget_per_day?: number;
    delay?: string;
    storm?: {
      raises?: number;
      per?: string;
    };
    kinds?: {
      surge?: Schemas["KindSettings"];
      slow_surge?: Schemas["KindSettings"];
      newcomer?: Schemas["KindSettings"];
      divergence?: Schemas["KindSettings"];
      impostor?: Schemas["KindSettings"];
      rare_here_hot?: Schemas["KindSettings"];
      rank_shift?: Schemas["KindSettings"];
      ua_rotation?: Schemas["KindSettings"];
      path_scan?: Schemas["KindSettings"];
      error_burst?: Schemas["KindSettings"];
      cache_bust?: Schemas["KindSettings"];
      ip_spread?: Schemas["KindSettings"];
      bot_shift?: Schemas["KindSettings"];
      family_swarm?: Schemas["KindSettings"];
    };
  };
  Detection: {
    alert_budget_per_day: number;
    delay: string;
    storm: {
      raises: number;
      per: string;
    };
    kinds: {
      surge?: Schemas["KindSettings"];
      slow_surge?: Schemas["KindSettings"];
      newcomer?: Schemas["KindSettings"];
      divergence?: Schemas["KindSettings"];
      impostor?: Schemas["KindSettings"];
      rare_here_hot?: Schemas["KindSettings"];
      rank_shift?: Schemas["KindSettings"];
      ua_rotation?: Schemas["KindSettings"];
      path_scan?: Schemas["KindSettings"];
      error_burst?: Schemas["KindSettings"];
      cache_bust?: Schemas["KindSettings"];
      ip_spread?: Schemas["KindSettings"];
      bot_shift?: Schemas["KindSettings"];
      family_swarm?: Schemas["KindSettings"];
    };
  };
  WindowNumbers: {
    from: string;
    reqs: number;
    ips?: number;
    uas?: number;
    paths?: number;
    asns?: number;
    hosts?: number;
    h2h3_ratio?: number;
    heuristic_ratio?: number;
    browser_ratio?: number;
    bot_ratio?: number;
    cache_ratio?: number;
    error_ratio?: number;
  };
  LocalSignals: {
    h2h3_ratio_1h?: number;
    heuristic_ratio_1h?: number;
    browser_ratio_1h?: number;
    cache_ratio_1h?: number;
    reqs_rank_1h?: number;
    uas_rank_1h?: number;
    paths_rank_1h?: number;
    ips_rank_1h?: number;
    reqs_quantile_1h?: number;
    ips_quantile_1h?: number;
    population?: number;
    bot_ratio_1h?: number;
    error_ratio_1h?: number;
    asns_1h?: number;
    hosts_1h?: number;
  };
  GlobalSignals: {
    h2h3_ratio_1h?: number;
    heuristic_ratio_1h?: number;
    browser_ratio_1h?: number;
    cache_ratio_1h?: number;
    reqs_rank_1h?: number;
    uas_rank_1h?: number;
    paths_rank_1h?: number;
    ips_rank_1h?: number;
    reqs_quantile_1h?: number;
    ips_quantile_1h?: number;
    population?: number;
    seen_at: string;
  };
  Divergence: {
    signal: string;
    local: number;
    expected: number;
    global: number;
    p: number;
    score: number;
  };
  Combined: {
    value: number;
    low: number;
    high: number;
  };
  ClientName: {
    name: string;
    source: string;
    confidence: "low" | "medium";
  };
  BotScore: {
    histogram: ReadonlyArray<readonly [number, number]>;
    detection_ids: ReadonlyArray<readonly [number, number]>;
  };
  BlastRadius: {
    share_of_reqs: number;
    share_of_browser_reqs?: number;
  };
  Fingerprint: {
    site: string;
    ja4: string;
    source?: "tls";
    as_of: string;
    sampled?: true;
    ranks_as_of?: string;
    first_seen: string;
    last_seen: string;
    windows: {
      "1m": Schemas["WindowNumbers"];
      "5m": Schemas["WindowNumbers"];
      "1h": Schemas["WindowNumbers"];
    };
    local: Schemas["LocalSignals"];
    global?: Schemas["GlobalSignals"];
    combined?: {
      h2h3_ratio_1h?: Schemas["Combined"];
      heuristic_ratio_1h?: Schemas["Combined"];
      browser_ratio_1h?: Schemas["Combined"];
      cache_ratio_1h?: Schemas["Combined"];
    };
    divergence: ReadonlyArray<Schemas["Divergence"]>;
    expected?: {
      reqs_1m: {
        mean: number;
        low: number;
        high: number;
      };
    };
    blast_radius?: Schemas["BlastRadius"];
    bot_score?: Schemas["BotScore"];
    waf_expression?: string;
    score?: number;
    anomalies: ReadonlyArray<{
      anomaly_id: string;
      kind: string;
    }>;
    names: ReadonlyArray<Schemas["ClientName"]>;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  FingerprintRow: {
    ja4: string;
    reqs: number;
    ips?: number;
    uas?: number;
    paths?: number;
    browser_ratio?: number;
    score?: number;
    last_seen: string;
    names: ReadonlyArray<Schemas["ClientName"]>;
  };
  FingerprintList: {
    as_of: string;
    fingerprints: ReadonlyArray<Schemas["FingerprintRow"]>;
    next_cursor?: string;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  Timeline: {
    ja4: string;
    as_of: string;
    minutes: ReadonlyArray<{
      from: string;
      reqs: number;
      ips?: number;
      uas?: number;
      paths?: number;
      error_ratio?: number;
      expected?: {
        mean: number;
        low: number;
        high: number;
      };
    }>;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  Related: {
    same: {
      a: ReadonlyArray<Schemas["FingerprintRow"]>;
      b: ReadonlyArray<Schemas["FingerprintRow"]>;
      c: ReadonlyArray<Schemas["FingerprintRow"]>;
    };
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  Family: {
    part: "a" | "b" | "c";
    value: string;
    reqs_1h: number;
    fingerprints_1h: number;
    newborn_1m: number;
  };
  FamilyList: {
    families: ReadonlyArray<Schemas["Family"]>;
    next_cursor?: string;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  LookupRequest: {
    ja4: ReadonlyArray<string>;
  };
  LookupAnswer: {
    fingerprints: ReadonlyArray<Schemas["Fingerprint"]>;
    missing: ReadonlyArray<string>;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  Sites: {
    sites: ReadonlyArray<string>;
  };
  Health: {
    status: "ok";
    version: string;
  };
  FeatureRow: {
    feature_version: number;
    site: string;
    ja4: string;
    as_of: string;
  } & { readonly [name: string]: number | string };
  Summary: {
    site: string;
    as_of: string;
    ranks_as_of?: string;
    windows: {
      "1m": {
        from: string;
        reqs: number;
        fingerprints: number;
        without_ja4: number;
        without_signals: number;
      };
      "5m": {
        from: string;
        reqs: number;
        fingerprints: number;
        without_ja4: number;
        without_signals: number;
      };
      "1h": {
        from: string;
        reqs: number;
        fingerprints: number;
        without_ja4: number;
        without_signals: number;
      };
    };
    sampled?: true;
    since_start: {
      accepted: number;
      duplicate: number;
      late: number;
      future: number;
      stale: number;
      shed: number;
      overflow: number;
      suppressed: number;
      rejected: number;
      expired: number;
      lost_at_edge: number;
      fields_dropped: number;
    };
    sources: { readonly [name: string]: number };
    warm_up?: {
      until: string;
      kinds: ReadonlyArray<string>;
    };
    shards: ReadonlyArray<{
      shard: number;
      as_of: string;
      fingerprints: number;
      bytes: number;
      memory: { readonly [name: string]: number };
      tracked: number;
      evicted: number;
      folded: number;
      scores_lost: number;
      calls_refused: number;
    }>;
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  LogpushRecord: {
    EdgeStartTimestamp: number | string;
    JA4?: unknown;
    JA4Signals?: unknown;
    BotScore?: unknown;
    BotScoreSrc?: unknown;
    BotDetectionIDs?: unknown;
    VerifiedBotCategory?: unknown;
    ClientIP?: unknown;
    ClientASN?: unknown;
    ClientRequestHost?: unknown;
    ClientRequestMethod?: unknown;
    ClientRequestPath?: unknown;
    ClientRequestURI?: unknown;
    ClientRequestProtocol?: unknown;
    ClientRequestUserAgent?: unknown;
    CacheCacheStatus?: unknown;
    EdgeResponseStatus?: unknown;
    RayID?: unknown;
    WorkerSubrequest?: unknown;
  } & { readonly [name: string]: unknown };
  LogpushAnswer: {
    accepted: number;
    rejected: number;
    expired: number;
    without_ja4: number;
    errors: ReadonlyArray<{
      index: number;
      detail: string;
    }>;
    skipped: number;
    sampled?: number;
    duplicate?: true;
  };
  Observation: {
    timestamp: number | string;
    ja4?: string | (null | "");
    client_ip?: string | (null | "");
    user_agent?: string | null;
    path?: string | null;
    host?: string | null;
    method?: string | null;
    asn?: number | (null | "");
    http_protocol?: string | null;
    status?: number | (null | "");
    cache_status?: string | null;
    bot_score?: number | (null | "");
    bot_score_src?: string | null;
    detection_ids?: ReadonlyArray<number> | Readonly<Record<string, never>> | (null | "");
    verified_bot?: boolean | (null | "");
    ja4_signals?: { readonly [name: string]: unknown } | (null | "");
    ray_id?: string | null;
  } & { readonly [name: string]: unknown };
  IngestAnswer: {
    accepted: number;
    rejected: number;
    expired: number;
    without_ja4: number;
    errors: ReadonlyArray<{
      index: number;
      detail: string;
    }>;
  };
  SilenceInput: {
    id?: string;
    ja4?: string;
    kinds?: ReadonlyArray<"surge" | "slow_surge" | "newcomer" | "divergence" | "impostor" | "rare_here_hot" | "rank_shift" | "ua_rotation" | "path_scan" | "error_burst" | "cache_bust" | "ip_spread" | "bot_shift" | "family_swarm" | "flash_crowd" | "outage" | "blind" | "double_source" | "storm" | "threshold">;
    verified_bots?: boolean;
    until?: string;
    reason?: string;
    created_at?: unknown;
    updated_at?: unknown;
  };
  Silence: {
    id: string;
    ja4?: string;
    kinds?: ReadonlyArray<"surge" | "slow_surge" | "newcomer" | "divergence" | "impostor" | "rare_here_hot" | "rank_shift" | "ua_rotation" | "path_scan" | "error_burst" | "cache_bust" | "ip_spread" | "bot_shift" | "family_swarm" | "flash_crowd" | "outage" | "blind" | "double_source" | "storm" | "threshold">;
    verified_bots?: boolean;
    until?: string;
    reason?: string;
    created_at: string;
    updated_at: string;
  };
  SilenceList: {
    items: ReadonlyArray<Schemas["Silence"]>;
    next_cursor?: string;
  };
  Comparison: {
    signal: "reqs" | "ips" | "uas" | "paths" | "asns" | "hosts" | "h2h3_ratio" | "heuristic_ratio" | "browser_ratio" | "bot_ratio" | "cache_ratio" | "error_ratio" | "fingerprints" | "without_ja4" | "without_signals" | "local.h2h3_ratio_1h" | "local.heuristic_ratio_1h" | "local.browser_ratio_1h" | "local.bot_ratio_1h" | "local.cache_ratio_1h" | "local.error_ratio_1h" | "local.reqs_rank_1h" | "local.uas_rank_1h" | "local.paths_rank_1h" | "local.ips_rank_1h" | "local.reqs_quantile_1h" | "local.ips_quantile_1h" | "local.population" | "local.asns_1h" | "local.hosts_1h" | "global.h2h3_ratio_1h" | "global.heuristic_ratio_1h" | "global.browser_ratio_1h" | "global.cache_ratio_1h" | "global.reqs_rank_1h" | "global.uas_rank_1h" | "global.paths_rank_1h" | "global.ips_rank_1h" | "global.reqs_quantile_1h" | "global.ips_quantile_1h" | "global.population" | "combined.h2h3_ratio_1h" | "combined.heuristic_ratio_1h" | "combined.browser_ratio_1h" | "combined.cache_ratio_1h" | "divergence.h2h3_ratio_1h" | "divergence.heuristic_ratio_1h" | "divergence.browser_ratio_1h" | "divergence.cache_ratio_1h" | "score" | "score.surge" | "score.slow_surge" | "score.newcomer" | "score.divergence" | "score.impostor" | "score.rare_here_hot" | "score.rank_shift" | "score.ua_rotation" | "score.path_scan" | "score.error_burst" | "score.cache_bust" | "score.ip_spread" | "score.bot_shift" | "score.family_swarm" | "since_start.accepted" | "since_start.late" | "since_start.future" | "since_start.duplicate" | "since_start.stale" | "since_start.shed" | "since_start.overflow" | "since_start.suppressed" | "since_start.rejected" | "since_start.expired" | "since_start.lost_at_edge" | "since_start.fields_dropped";
    window?: "1m" | "5m" | "1h";
    op: ">" | ">=" | "<" | "<=";
    value: number;
  };
  Condition: Schemas["Comparison"] | {
    all: ReadonlyArray<Schemas["Comparison"]>;
  } | {
    any: ReadonlyArray<Schemas["Comparison"]>;
  };
  ThresholdInput: {
    id?: string;
    enabled?: boolean;
    scope?: "fingerprint" | "site";
    ja4?: string | ReadonlyArray<string>;
    severity?: "info" | "warning" | "critical";
    when: Schemas["Condition"];
    for?: string;
    clear?: {
      value?: number;
      for?: string;
    };
    cooldown?: string;
    min_reqs?: number;
    on_missing: "skip" | "fire";
    notify?: ReadonlyArray<string>;
    expires_at?: string;
    note?: string;
    active?: unknown;
    created_at?: unknown;
    updated_at?: unknown;
  };
  Threshold: {
    id: string;
    enabled: boolean;
    scope?: "fingerprint" | "site";
    ja4?: string | ReadonlyArray<string>;
    severity: "info" | "warning" | "critical";
    when: Schemas["Condition"];
    for: string;
    clear?: {
      value?: number;
      for?: string;
    };
    cooldown: string;
    min_reqs: number;
    on_missing: "skip" | "fire";
    notify?: ReadonlyArray<string>;
    expires_at?: string;
    note?: string;
    created_at: string;
    updated_at: string;
    active?: ReadonlyArray<string | "site">;
  };
  ThresholdList: {
    items: ReadonlyArray<Schemas["Threshold"]>;
    next_cursor?: string;
  };
  ThresholdTest: {
    as_of: string;
    evaluated: number;
    missing: number;
    would_fire: ReadonlyArray<{
      ja4?: string;
      observed?: number;
    }>;
    would_fire_more?: number;
    last_hour: {
      episodes: number;
      fingerprints: number;
    };
    partial?: {
      missing_shards: ReadonlyArray<number>;
    };
  };
  WebhookInput: {
    id?: string;
    url: string;
    format?: "cloudevents" | "slack" | "pagerduty";
    kinds?: ReadonlyArray<"surge" | "slow_surge" | "newcomer" | "divergence" | "impostor" | "rare_here_hot" | "rank_shift" | "ua_rotation" | "path_scan" | "error_burst" | "cache_bust" | "ip_spread" | "bot_shift" | "family_swarm" | "flash_crowd" | "outage" | "blind" | "double_source" | "storm">;
    min_severity?: "info" | "warning" | "critical";
    enabled?: boolean;
    routing_key?: string;
    note?: string;
    secret?: unknown;
    overlap_until?: unknown;
    status?: unknown;
    disabled_reason?: unknown;
    created_at?: unknown;
    updated_at?: unknown;
  };
  Webhook: {
    id: string;
    url: string;
    format: "cloudevents" | "slack" | "pagerduty";
    kinds?: ReadonlyArray<"surge" | "slow_surge" | "newcomer" | "divergence" | "impostor" | "rare_here_hot" | "rank_shift" | "ua_rotation" | "path_scan" | "error_burst" | "cache_bust" | "ip_spread" | "bot_shift" | "family_swarm" | "flash_crowd" | "outage" | "blind" | "double_source" | "storm">;
    min_severity: "info" | "warning" | "critical";
    enabled: boolean;
    note?: string;
    created_at: string;
    updated_at: string;
    overlap_until?: string;
    secret?: string;
    status?: {
      pending: number;
      failures: number;
      last_delivery_at?: string;
      last_status?: number;
      last_detail?: string;
    };
    disabled_reason?: string;
  };
  WebhookList: {
    items: ReadonlyArray<Schemas["Webhook"]>;
    next_cursor?: string;
  };
  WebhookRotation: {
    overlap?: string;
  };
  WebhookTest: {
    delivered: boolean;
    status?: number;
    detail: string;
  };
  SettingsInput: {
    thresholds?: ReadonlyArray<Schemas["ThresholdInput"]>;
    silences?: ReadonlyArray<Schemas["SilenceInput"]>;
    detection?: Schemas["DetectionInput"];
    webhooks?: ReadonlyArray<Schemas["WebhookInput"]>;
  };
  Settings: {
    thresholds: ReadonlyArray<Schemas["Threshold"]>;
    silences: ReadonlyArray<Schemas["Silence"]>;
    detection: Schemas["Detection"];
    webhooks: ReadonlyArray<Schemas["Webhook"]>;
  };
}

export interface Operations {
  "/healthz": {
    /** Whether the Worker answers; touches no object. */
    GET: {
      request: {};
      answer: Schemas["Health"];
    };
  };
  "/v1/sites": {
    /** The sites that the token may see. */
    GET: {
      request: {};
      answer: Schemas["Sites"];
    };
  };
  "/asyncapi.json": {
    /** The feed's document. */
    GET: {
      request: {};
      answer: {
          asyncapi: string;
        } & { readonly [name: string]: unknown };
    };
  };
  "/metrics": {
    /** The token's sites as OpenMetrics text. */
    GET: {
      request: {};
      answer: string;
    };
  };
  "/v1/sites/{site}/observations": {
    /** Send observations. 202 means that every accepted one is on disk in its shard. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        headers?: {
          /** At most 128 characters, kept 2 h: the same key and body answer as the first time and count nothing. */ "Idempotency-Key"?: string | undefined;
          /** `gzip` or absent. */ "Content-Encoding"?: "gzip" | "identity" | undefined;
        };
        body: ReadonlyArray<Schemas["Observation"]>;
      };
      answer: Schemas["IngestAnswer"];
    };
  };
  "/v1/sites/{site}/logpush": {
    /** Take an upload of Cloudflare Logpush (`http_requests`, NDJSON, usually gzip). 202 means that every accepted record is on disk in its shard; the same body counts once. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** The job's `sample_rate`: each record counts as 1/rate requests, and once in distinct counts. From 0.001 to 1. */ sample_rate?: string | undefined;
        };
        headers?: {
          /** `gzip` or absent; gzip is also told by its first bytes. */ "Content-Encoding"?: "gzip" | "identity" | undefined;
        };
        body: string;
      };
      answer: Schemas["LogpushAnswer"];
    };
  };
  "/v1/sites/{site}/fingerprints": {
    /** Fingerprints of the site, sorted, in pages. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** What to sort by; what is absent comes as the smallest. */ sort?: "reqs" | "ips" | "uas" | "paths" | "score" | "last_seen" | undefined;
          /** Direction; fingerprints with equal values come in alphabetical order. */ order?: "asc" | "desc" | undefined;
          /** The window of the numbers; fingerprints without a request in it are left out. */ window?: "1m" | "5m" | "1h" | undefined;
          /** A glob that knows `*` only. */ ja4?: string | undefined;
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["FingerprintList"];
    };
  };
  "/v1/sites/{site}/fingerprints/{ja4}": {
    /** Everything known of one fingerprint; 404 when it was not seen in the last hour. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** A JA4 fingerprint, or a pseudo fingerprint `x` + 24 hex digits. */ ja4: string;
        };
      };
      answer: Schemas["Fingerprint"];
    };
  };
  "/v1/sites/{site}/fingerprints/lookup": {
    /** Up to 100 fingerprints at once. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        body: Schemas["LookupRequest"];
      };
      answer: Schemas["LookupAnswer"];
    };
  };
  "/v1/sites/{site}/fingerprints/{ja4}/timeline": {
    /** A fingerprint's last 60 minutes, one by one, with what was expected of each. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** A JA4 fingerprint, or a pseudo fingerprint `x` + 24 hex digits. */ ja4: string;
        };
      };
      answer: Schemas["Timeline"];
    };
  };
  "/v1/sites/{site}/fingerprints/{ja4}/related": {
    /** Fingerprints of the site that share a part with one. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** A JA4 fingerprint, or a pseudo fingerprint `x` + 24 hex digits. */ ja4: string;
        };
      };
      answer: Schemas["Related"];
    };
  };
  "/v1/sites/{site}/summary": {
    /** The site in numbers: what came in, what was dropped and why, its shards. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
      };
      answer: Schemas["Summary"];
    };
  };
  "/v1/sites/{site}/families": {
    /** Families of fingerprints by a part of their JA4, most requests first, in pages. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Which part is shared: `a` (protocol, version, counts, ALPN), `b` (ciphers), `c` (extensions). */ part: "a" | "b" | "c";
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["FamilyList"];
    };
  };
  "/v1/sites/{site}/features": {
    /** One row of numbers a fingerprint, in order of the fingerprints, streamed. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Absent = CSV where `Accept` names `text/csv`, else NDJSON. */ format?: "ndjson" | "csv" | undefined;
          /** A glob that knows `*` only. */ ja4?: string | undefined;
        };
      };
      answer: string;
    };
  };
  "/v1/sites/{site}/thresholds": {
    /** Thresholds by id, each with the fingerprints it is raised for. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["ThresholdList"];
    };
    /** Create a threshold; without an id it gets one. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        body: Schemas["ThresholdInput"];
      };
      answer: Schemas["Threshold"];
    };
  };
  "/v1/sites/{site}/thresholds/{id}": {
    /** One threshold. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["Threshold"];
    };
    /** Create or replace a threshold. */
    PUT: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body: Schemas["ThresholdInput"];
      };
      answer: Schemas["Threshold"];
    };
    /** Delete a threshold; what it raised is cleared. */
    DELETE: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
      };
      answer: undefined;
    };
  };
  "/v1/sites/{site}/thresholds/test": {
    /** What a threshold that is not stored would do; nothing changes. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        body: Schemas["ThresholdInput"];
      };
      answer: Schemas["ThresholdTest"];
    };
  };
  "/v1/sites/{site}/thresholds/{id}/test": {
    /** What a stored threshold would do, also while it is disabled; nothing changes. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["ThresholdTest"];
    };
  };
  "/v1/sites/{site}/silences": {
    /** Silences by id, those that have ended among them. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["SilenceList"];
    };
    /** Create a silence; without an id it gets one. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        body: Schemas["SilenceInput"];
      };
      answer: Schemas["Silence"];
    };
  };
  "/v1/sites/{site}/silences/{id}": {
    /** One silence. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["Silence"];
    };
    /** Create or replace a silence. */
    PUT: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body: Schemas["SilenceInput"];
      };
      answer: Schemas["Silence"];
    };
    /** Delete a silence. */
    DELETE: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
      };
      answer: undefined;
    };
  };
  "/v1/sites/{site}/webhooks": {
    /** Webhooks by id, without secrets, each with how it is doing. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["WebhookList"];
    };
    /** Create a webhook; the answer is the only one with its secret. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        body: Schemas["WebhookInput"];
      };
      answer: Schemas["Webhook"];
    };
  };
  "/v1/sites/{site}/webhooks/{id}": {
    /** One webhook, without its secret. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["Webhook"];
    };
    /** Create or replace a webhook; its secret stays. */
    PUT: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body: Schemas["WebhookInput"];
      };
      answer: Schemas["Webhook"];
    };
    /** Delete a webhook; what was waiting for it is dropped. */
    DELETE: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
      };
      answer: undefined;
    };
  };
  "/v1/sites/{site}/webhooks/{id}/rotate": {
    /** Give a webhook a new secret; the one of before signs beside it for `overlap`. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body?: Schemas["WebhookRotation"];
      };
      answer: Schemas["Webhook"];
    };
  };
  "/v1/sites/{site}/webhooks/{id}/test": {
    /** Send a message about nothing now, also to a webhook that is disabled. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["WebhookTest"];
    };
  };
  "/v1/sites/{site}/detection": {
    /** Detection settings, with every default filled in. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
      };
      answer: Schemas["Detection"];
    };
    /** Replace the detection settings; what is absent is the default. */
    PUT: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body: Schemas["DetectionInput"];
      };
      answer: Schemas["Detection"];
    };
  };
  "/v1/sites/{site}/settings": {
    /** All settings of the site as one document. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
      };
      answer: Schemas["Settings"];
    };
    /** Replace all settings at once, or none when one is at fault. */
    PUT: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body: Schemas["SettingsInput"];
      };
      answer: Schemas["Settings"];
    };
  };
  "/v1/sites/{site}/anomalies": {
    /** Anomalies, thresholds and site events that are kept: as they stand, or event by event. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** `true` = only those that were not cleared yet, `false` = only those that were. */ active?: "true" | "false" | undefined;
          /** Kinds, with commas between. */ kind?: string | undefined;
          /** A glob that knows `*` only; events of the whole site have no fingerprint and are left out. */ ja4?: string | undefined;
          /** Cursor (an event's `sequence`) after which every event is wanted, oldest first; `0` = all that is kept. Absent = the newest event of each anomaly, newest first. */ since?: string | undefined;
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. An anomaly that has news between two pages moves to the front of the list. */ cursor?: string | undefined;
        };
      };
      answer: Schemas["AnomalyList"];
    };
  };
  "/v1/sites/{site}/anomalies/{id}": {
    /** The newest event of one anomaly, with the feedback on it. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["AnomalyAnswer"];
    };
  };
  "/v1/sites/{site}/anomalies/{id}/feedback": {
    /** Say whether an anomaly was a true one; it takes the place of what was said before. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
          /** Id of the resource. */ id: string;
        };
        body: Schemas["FeedbackInput"];
      };
      answer: Schemas["Feedback"];
    };
  };
  "/v1/sites/{site}/feed": {
    /** Anomalous fingerprints as CloudEvents: a WebSocket, or server-sent events where they are accepted. */
    GET: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
        query?: {
          /** Cursor after which events are wanted; `0` = all that is kept, absent = live. */ since?: string | undefined;
          /** Kinds, with commas between. */ kind?: string | undefined;
          /** Event types, with commas between. */ type?: string | undefined;
          /** A glob that knows `*` only. */ ja4?: string | undefined;
          /** Hides events with a lower score; those without one stay. */ min_score?: number | undefined;
          /** Hides events of lower severity. */ min_severity?: "info" | "warning" | "critical" | undefined;
          /** Whether silenced anomalies are shown too. */ silenced?: "true" | "false" | undefined;
          /** A ticket instead of a token, for browsers. */ ticket?: string | undefined;
        };
        headers?: {
          /** Of server-sent events: the last `id:` received. It is newer than `since` and wins over it. */ "Last-Event-ID"?: string | undefined;
        };
      };
      answer: string;
    };
  };
  "/v1/sites/{site}/feed-tickets": {
    /** A ticket that opens the feed once within 30 s, for clients that cannot send headers. */
    POST: {
      request: {
        params: {
          /** Name of the site. */ site: string;
        };
      };
      answer: Schemas["FeedTicket"];
    };
  };
  "/v1/tokens": {
    /** Tokens by id, without secrets; those of API_TOKENS are marked `static`. */
    GET: {
      request: {
        query?: {
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: {
          items: ReadonlyArray<Schemas["Token"]>;
          next_cursor?: string;
        };
    };
    /** Make a token; scopes and sites must be the caller's own. The answer is the only one with the secret. */
    POST: {
      request: {
        body: Schemas["TokenInput"];
      };
      answer: Schemas["TokenWithSecret"];
    };
  };
  "/v1/tokens/{id}": {
    /** One token, without its secret. */
    GET: {
      request: {
        params: {
          /** Id of the resource. */ id: string;
        };
      };
      answer: Schemas["Token"];
    };
    /** Revoke a token: it is refused everywhere within 60 s. */
    DELETE: {
      request: {
        params: {
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
      };
      answer: undefined;
    };
  };
  "/v1/tokens/{id}/rotate": {
    /** Give a token a new secret; the one of before ends after `overlap`. */
    POST: {
      request: {
        params: {
          /** Id of the resource. */ id: string;
        };
        headers?: {
          /** ETags; the write happens only when the resource still has one of them. */ "If-Match"?: string | undefined;
        };
        body?: Schemas["TokenRotation"];
      };
      answer: Schemas["TokenWithSecret"];
    };
  };
  "/v1/audit": {
    /** Every change, newest first; kept 90 days or 100,000 records. */
    GET: {
      request: {
        query?: {
          /** Rows a page. */ limit?: number | undefined;
          /** `next_cursor` of the page before. */ cursor?: string | undefined;
        };
      };
      answer: {
          items: ReadonlyArray<Schemas["AuditItem"]>;
          next_cursor?: string;
        };
    };
  };
  "/openapi.json": {
    /** This document. */
    GET: {
      request: {};
      answer: {
          openapi: string;
        } & { readonly [name: string]: unknown };
    };
  };
}
